/**
 * An issuer in memory, for an app's own tests.
 *
 * ```js
 * const issuer = await createTestIssuer();
 * const app = makeApp(createVerifier(issuer.options));
 * const authorization = await issuer.authorization({ scopes: ["read:files"] });
 * await fetch(url, { headers: { authorization } });
 * ```
 */

import type { Algorithm, PublicJwk } from "./options.js";

export interface TestIssuerOptions {
  /** Default `https://sso.example`. */
  issuer?: string;
  /** Default `https://api.example`. */
  audience?: string;
  /** Default `ES256`. */
  algorithm?: Algorithm;
}

/** Claims or members of a header; `undefined` or `null` leaves one out. */
export type Chosen = Readonly<Record<string, unknown>>;

/** An issuer in memory. Its tokens are good for 15 minutes. */
export interface TestIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** Settings for `createVerifier`, with the keys of this moment. */
  readonly options: {
    readonly issuer: string;
    readonly audience: string;
    readonly jwks: { readonly keys: readonly PublicJwk[] };
    readonly profile: "usso";
  };
  /** The public keys. */
  readonly jwks: { readonly keys: readonly PublicJwk[] };
  /** Serves the keys: `createVerifier({ issuer, audience, fetch: issuer.fetch })`. */
  readonly fetch: typeof fetch;
  /** Signs a token, for the subject `user:1` unless the claims say otherwise. */
  mint(claims?: Chosen, header?: Chosen): Promise<string>;
  /** Signs a token and gives the value of the header `Authorization`. */
  authorization(claims?: Chosen, header?: Chosen): Promise<string>;
  /** Signs with a new key from now on, beside which the others stay; gives its name. */
  rotate(): Promise<string>;
}

/** Makes an issuer with one key. Throws if the Web Cryptography API has not the algorithm. */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = "https://sso.example", audience = "https://api.example" } = options;
  const { algorithm = "ES256" } = options;
  const published: PublicJwk[] = [];
  let signer: Signer;
  const rotate = async (): Promise<string> => {
    signer = await createSigner(algorithm);
    published.push(signer.jwk);
    return signer.kid;
  };
  const mint = async (claims?: Chosen, header?: Chosen): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: issuer, sub: "user:1", aud: audience, iat: now, exp: now + 900 };
    const own = { jti: crypto.randomUUID(), token_type: "access", client_id: "test" };
    return signer.sign({ typ: "at+jwt", ...header }, { ...usual, ...own, ...claims });
  };
  await rotate();
  const jwks = () => ({ keys: [...published] });
  return {
    issuer,
    audience,
    get jwks() {
      return jwks();
    },
    get options() {
      return { issuer, audience, jwks: jwks(), profile: "usso" as const };
    },
    fetch: async (input) => served(issuer, published, addressOf(input)),
    mint,
    authorization: async (claims, header) => `Bearer ${await mint(claims, header)}`,
    rotate,
  };
}

interface Signer {
  readonly kid: string;
  readonly jwk: PublicJwk;
  sign(header: Chosen, claims: Chosen): Promise<string>;
}

async function createSigner(algorithm: Algorithm): Promise<Signer> {
  const parameters = PARAMETERS[algorithm];
  const pair = await crypto.subtle.generateKey(parameters, false, ["sign", "verify"]);
  const { privateKey, publicKey } = pair as CryptoKeyPair;
  const kid = crypto.randomUUID();
  const { kty = "", crv, x, y, n, e } = await crypto.subtle.exportKey("jwk", publicKey);
  const jwk = { kty, crv, x, y, n, e, kid, use: "sig", alg: algorithm };
  const sign = async (header: Chosen, claims: Chosen): Promise<string> => {
    const message = `${encoded({ alg: algorithm, kid, ...header })}.${encoded(claims)}`;
    const bytes = new TextEncoder().encode(message);
    const signature = await crypto.subtle.sign(parameters, privateKey, bytes);
    return `${message}.${base64url(new Uint8Array(signature))}`;
  };
  return { kid, jwk: JSON.parse(JSON.stringify(jwk)) as PublicJwk, sign };
}

function served(issuer: string, keys: readonly PublicJwk[], address: string): Response {
  const base = issuer.replace(/\/$/, "");
  const jwks_uri = `${base}/.well-known/jwks.json`;
  if (address === jwks_uri) return Response.json({ keys });
  const discovery = [
    `${base}/.well-known/openid-configuration`,
    `${base}/.well-known/oauth-authorization-server`,
  ];
  if (discovery.includes(address)) return Response.json({ issuer, jwks_uri });
  return new Response(null, { status: 404 });
}

function addressOf(input: string | URL | Request): string {
  return typeof input === "object" && "url" in input ? input.url : String(input);
}

function encoded(members: Chosen): string {
  const present = Object.entries(members).filter(([, value]) => value != null);
  return base64url(new TextEncoder().encode(JSON.stringify(Object.fromEntries(present))));
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const RSA = { hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const PARAMETERS = {
  EdDSA: { name: "Ed25519" },
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  RS256: { name: "RSASSA-PKCS1-v1_5", ...RSA },
  PS256: { name: "RSA-PSS", saltLength: 32, ...RSA },
} as const;
