/** Settings, and how the verifier in WebAssembly wants them. */

import { invalid } from "./error.js";

/** A public key as a JWK. */
export type PublicJwk = { readonly kty: string; readonly [member: string]: unknown };

export type Algorithm = "EdDSA" | "ES256" | "ES384" | "RS256" | "PS256";

/** Whose tokens are accepted, and which. */
export interface IssuerOptions {
  /** The exact value of `iss`; a slash at its end counts. */
  issuer: string;
  /** The names of this service in `aud`. This or `anyAudience` must be set. */
  audience?: string | readonly string[];
  /** Takes tokens for other services, too: whoever gets one of them can send it here. */
  anyAudience?: boolean;
  /** Where the keys are. Default: found by discovery (RFC 8414, OpenID Connect Discovery). */
  jwksUrl?: string;
  /** The keys themselves. */
  jwks?: { readonly keys: readonly object[] };
  /** The one key, whatever name tokens give it. */
  jwk?: PublicJwk;
  /**
   * What kinds of tokens. `usso_legacy` (the default): access tokens of USSO, old and new, and of
   * any issuer that follows RFC 9068 or leaves the type out. `usso`: those of USSO as it is now.
   * `rfc9068`: `typ` must be `at+jwt`. `oidc_id_token`: ID tokens. `custom`: what the other
   * settings say.
   */
  profile?: "usso" | "usso_legacy" | "rfc9068" | "oidc_id_token" | "custom";
  /** Default: those of the keys. */
  algorithms?: readonly Algorithm[];
  /** Accepted values of the header `typ`. Default: those of the profile. */
  typ?: readonly string[];
  /** The value of `token_type` that tokens must have. */
  tokenType?: string;
  /** The value of `token_type` that tokens must have if they have one. */
  tokenTypeIfAny?: string;
  /** The `tenant_id` that tokens must have. */
  tenant?: string;
  /** Claims that must be there beside those of the profile. */
  requiredClaims?: readonly string[];
  /** How many seconds ago a token may have been issued at most. */
  maxAge?: number;
  /** How many seconds a token may live at most. */
  maxLifetime?: number;
  /** Fetches keys over plain http from elsewhere than this machine: who is between can exchange them. */
  dangerAllowHttp?: boolean;
}

/** Settings for requests, and for all issuers. */
export interface CommonOptions {
  /** By how many seconds clocks may differ, 0 to 120. Default 30. */
  leeway?: number;
  /** Longer tokens are refused unread. Default 8192. */
  maxTokenBytes?: number;
  /** How many verified tokens are remembered. Default 10,000 and 32 MiB; `{ entries: 0 }` for none. */
  tokenCache?: { entries?: number; bytes?: number; maxSeconds?: number };
  /** Unknown keys are asked for once in so many seconds, 1 to 300. Default 30. */
  jwksCooldown?: number;
  /** After how many seconds of outage keys are not trusted any more. */
  jwksHardAge?: number;
  /** The header with the token alone, instead of `Authorization: Bearer …`. */
  tokenHeader?: string;
  /** The header of API keys, with which a request is refused here. Default `x-api-key`. */
  apiKeyHeader?: string;
  /** The cookie that may hold the token. Default: none. */
  cookie?: string;
  /** Origins beside the service's own whose pages may use the cookie. */
  allowOrigins?: readonly string[];
  /** Where clients reach the service; DPoP (RFC 9449) needs it. */
  publicUrl?: string;
  /** For challenges. Default `api`. */
  realm?: string;
  /** For challenges (RFC 9728). */
  resourceMetadata?: string;
  /** Sends requests. Default: the platform's `fetch`. */
  fetch?: typeof fetch;
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  now?: () => number;
}

export type VerifierOptions = CommonOptions &
  (IssuerOptions | { issuers: readonly IssuerOptions[] });

/** Writes the settings for the verifier in WebAssembly. Throws `config.invalid`. */
export function configuration(options: VerifierOptions): string {
  if (!isPlain(options)) throw invalid("the options are no plain object");
  const { fetch, now, ...rest } = { ...options } as CommonOptions & Record<string, unknown>;
  const guard = take(rest, GUARD);
  const common = take(rest, COMMON);
  let issuers: unknown[];
  if ("issuers" in rest) {
    const { issuers: several, ...left } = rest;
    const [unknown] = Object.keys(left);
    if (unknown !== undefined) throw invalid(`\`${unknown}\` belongs into a member of \`issuers\``);
    if (!Array.isArray(several)) throw invalid("`issuers` is no list");
    issuers = several;
  } else {
    issuers = [rest];
  }
  const config: Record<string, unknown> = {
    ...snake(common),
    guard: snake(guard),
    issuers: issuers.map(issuerConfiguration),
  };
  return JSON.stringify(config);
}

/** Puts the names of settings in a message as they are written here. */
export function inCamelCase(message: string): string {
  return message
    .replace("`token_types`", "`typ`")
    .replace(/,? (?:and|or) for http on this machine (?:also|call)\s+`allow_loopback_http`/, " (http only for this machine)")
    .replace("call `audience` with a name, or `any_audience`", "set `audience` to the name of this service, or `any_audience`")
    .replace(/`[a-z_]+`/g, (name) =>
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    );
}

function issuerConfiguration(issuer: unknown): object {
  if (!isPlain(issuer)) throw invalid("an issuer is no plain object");
  // The keys of others are fetched over https; on this machine nobody is between.
  return { profile: "usso_legacy", allow_loopback_http: true, ...snake({ ...issuer }) };
}

function take(options: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  const taken: Record<string, unknown> = {};
  for (const name of names) {
    if (name in options) {
      taken[name] = options[name];
      delete options[name];
    }
  }
  return taken;
}

/** Writes names as the verifier does. Those with an underscore are nobody's. */
function snake(options: Record<string, unknown>): Record<string, unknown> {
  const written: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (name.includes("_") || HIDDEN.has(name)) throw invalid(`unknown setting \`${name}\``);
    if (isLost(value) || (value === undefined && LIMITS.has(name))) {
      throw invalid(`\`${name}\` is ${String(value)}; leave it out, or correct it`);
    }
    if (value === undefined) continue;
    const plain = NESTED.has(name) && isObject(value) ? snake({ ...value }) : value;
    written[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = plain;
  }
  return written;
}

/** Whether JSON has nothing for a value, so that a setting would silently not be there. */
function isLost(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  return value === null || typeof value === "function" || typeof value === "symbol";
}

/** Whether all that an object says is in its own members, as for objects that are written down. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const parent: unknown = Object.getPrototypeOf(value);
  const isOwn = parent === null || Object.getPrototypeOf(parent) === null;
  return isOwn && !Array.isArray(value) && Reflect.ownKeys(value).length === Object.keys(value).length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Settings that let fewer tokens in: what is lost of them must not let more in. */
const LIMITS = new Set([
  "algorithms", "maxAge", "maxLifetime", "requiredClaims", "tenant", "tokenType", "tokenTypeIfAny", "typ",
]);
const NESTED = new Set(["tokenCache"]);
/** What is set here and not by apps. */
const HIDDEN = new Set(["allowLoopbackHttp", "local"]);
const GUARD = [
  "tokenHeader", "apiKeyHeader", "cookie", "allowOrigins", "publicUrl", "realm", "resourceMetadata",
] as const;
const COMMON = ["leeway", "maxTokenBytes", "tokenCache", "jwksCooldown", "jwksHardAge"] as const;
