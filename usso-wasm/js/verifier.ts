/** The verifier, driven: it sends what the WebAssembly asks for, and has the platform verify signatures. */

import { errorOf, errorOfTold, invalid, unavailable, UssoError } from "./error.js";
import { headOf, type RequestHead, written } from "./head.js";
import { Asked, Inbox, NativeVerifier, Question, type Told, wrong_rule } from "./native.js";
import {
  configuration,
  inCamelCase,
  isPlain,
  type VerifierOptions,
} from "./options.js";
import { later } from "./platform.js";
import { Transport, type WaitUntil } from "./transport.js";
import { UserData } from "./user.js";

/** What a route needs of its caller; all of it must be there. */
export interface Needed {
  /** Scopes such as `read:files`, or `read:users?user_id={id}` with a part of the path. */
  scope?: string | readonly string[];
  role?: string | readonly string[];
  /** The tenant, or `{name}` for a part of the path. */
  tenant?: string;
  /** The workspace, or `{name}` for a part of the path. */
  workspace?: string;
  /** A service account. */
  service?: boolean;
  /** How many seconds ago the caller may have signed in at most (RFC 9470). */
  maxAge?: number;
  /** One of these authentication context classes (RFC 9470). */
  acr?: string | readonly string[];
}

export interface VerifyOptions extends Needed {
  /** The nonce that an ID token must have. */
  nonce?: string;
  /** The parts of the path that stand for `{name}` in what is needed. */
  params?: Readonly<Record<string, string>>;
  /** Of an edge worker: lets keys be refreshed after the response. */
  waitUntil?: WaitUntil;
}

export type RequestOptions = Omit<VerifyOptions, "nonce">;

/**
 * Makes a verifier. It starts without keys and fetches them for the first token.
 *
 * Throws a {@link UssoError} with the code `config.invalid`, whose message names the setting.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new Verifier(options);
}

/** Verifies tokens and requests. Make one and share it: it keeps keys and verdicts. */
export class Verifier {
  readonly #native: NativeVerifier;
  readonly #inbox: Inbox;
  readonly #transport: Transport;
  readonly #milliseconds: () => number;

  constructor(options: VerifierOptions) {
    const config = configuration(options);
    try {
      this.#native = new NativeVerifier(config, UserData.made);
    } catch (error) {
      if (typeof error === "string") throw invalid(inCamelCase(errorOfTold(error).message));
      throw error;
    }
    this.#inbox = new Inbox(this.#native);
    this.#milliseconds = options.now ?? Date.now;
    // Called without `this`, as browsers and workers want it.
    const send = options.fetch ?? ((...request) => globalThis.fetch(...request));
    this.#transport = new Transport(this.#native, send, () => this.#now());
  }

  /**
   * Verifies a token. Throws a {@link UssoError}: 401 `token.…` if it is not good, 403 `access.…`
   * if what is needed is not there, 503 while nobody can tell.
   */
  async verify(token: string, options?: VerifyOptions): Promise<UserData> {
    const nonce = nonceOf(options);
    const known = this.#recall(token, nonce);
    if (known !== undefined) return this.#checked(known, options);
    const user = await this.#settled(this.#tokenOf(token), nonce, options?.waitUntil);
    return this.#checked(user, options);
  }

  /**
   * Does as `verify`, at once. Throws a {@link UssoError} with the code `access.unavailable` if
   * there are no keys yet, or if the platform verifies this kind of signature only with a promise:
   * then use `verify`.
   */
  verifySync(token: string, options?: VerifyOptions): UserData {
    const nonce = nonceOf(options);
    const known = this.#recall(token, nonce);
    if (known !== undefined) return this.#checked(known, options);
    const user = this.#settledSync(this.#tokenOf(token), nonce, options?.waitUntil);
    return this.#checked(user, options);
  }

  /**
   * Verifies the credential of a request; `undefined` if there is none. Throws a {@link UssoError}
   * whose `response` is the answer to the request.
   *
   * A proof of DPoP is good once: ask once for each request.
   */
  async authenticate(
    request: Request | RequestHead,
    options: Pick<VerifyOptions, "waitUntil"> = {},
  ): Promise<UserData | undefined> {
    const { waitUntil, ...more } = options;
    for (const name in more) throw misused(`\`authenticate\` takes no \`${name}\`: call \`require\``);
    const [method, target, lines] = partsOf(request);
    const judge = (asked: Asked): Answered =>
      this.#native.authenticate(method, target, lines, asked, this.#now());
    return this.#settled(judge, undefined, waitUntil);
  }

  /**
   * Verifies the credential of a request and requires that there is one, and what is needed. Throws
   * as `authenticate` does.
   */
  async require(request: Request | RequestHead, options: RequestOptions = {}): Promise<UserData> {
    const { waitUntil } = options;
    const user = await this.authenticate(request, waitUntil === undefined ? {} : { waitUntil });
    return this.check(user, options, request);
  }

  /**
   * Requires that there is a caller, and what is needed of them. Throws a {@link UssoError}, with the
   * answer to `request`.
   */
  check(
    user: UserData | undefined,
    needed: Needed & { params?: Readonly<Record<string, string>> } = {},
    request?: Request | RequestHead,
  ): UserData {
    const rule = ruleOf(needed, needed.params);
    const claims = user == null ? undefined : UserData.jsonOf(user);
    if (user != null && claims === undefined) throw misused("the caller is no `UserData`");
    if (user != null && rule === "{}") return user;
    const [method, target, lines] = partsOf(request ?? NO_REQUEST);
    const told = this.#native.check(claims, rule, method, target, lines, this.#now());
    if (told !== undefined) throw errorOfTold(told);
    return user as UserData;
  }

  /**
   * Gives the headers to add to the answer to a request that was let in. `optional`: callers
   * without a credential are let in, too.
   */
  responseHeaders(
    request: Request | RequestHead,
    optional = false,
  ): [name: string, value: string][] {
    const told = this.#native.response_headers(written(request.headers), optional);
    return told === undefined ? [] : (JSON.parse(told) as [string, string][]);
  }

  /**
   * Writes the keys of an issuer, for a later start or another isolate; `undefined` if there are none.
   * Whoever can change what is kept can sign tokens.
   */
  exportKeys(issuer: string): Uint8Array | undefined {
    return this.#native.export(textOf(issuer));
  }

  /**
   * Takes in what `exportKeys` wrote. Throws a {@link UssoError} with the code `snapshot.invalid`, or
   * none of it is used.
   */
  importKeys(issuer: string, snapshot: Uint8Array): void {
    const wrong = ArrayBuffer.isView(snapshot)
      ? this.#native.import(textOf(issuer), snapshot, this.#now())
      : "the snapshot is no Uint8Array";
    if (wrong !== undefined) throw new UssoError("snapshot.invalid", wrong, 500);
  }

  /** Forgets every token that was verified before. */
  clearCache(): void {
    this.#native.clear_cache();
  }

  /** How many tokens are remembered. */
  get cachedTokens(): number {
    return this.#native.cached_tokens();
  }

  /** By a clock that does not work everything would be good for ever. */
  #now(): number {
    const milliseconds: unknown = this.#milliseconds();
    const seconds = typeof milliseconds === "number" ? Math.floor(milliseconds / 1000) : NaN;
    if (seconds > EARLIEST && Number.isSafeInteger(seconds)) return seconds;
    throw unavailable();
  }

  #recall(token: string, nonce: string | undefined): UserData | undefined {
    if (nonce !== undefined) return undefined;
    // The clock is the app's: nothing of it runs between the inbox and the question.
    const now = this.#now();
    return this.#native.recall(this.#inbox.put(textOf(token)), now);
  }

  #tokenOf(token: string): Judge {
    const text = textOf(token);
    return (asked) => {
      const now = this.#now();
      return this.#native.verify(this.#inbox.put(text), asked, now);
    };
  }

  #checked(user: UserData | undefined, options: VerifyOptions | undefined): UserData {
    if (options === undefined) return user as UserData;
    const { nonce: _, ...needed } = options;
    return this.check(user, needed);
  }

  /** Asks, does what is asked for, and asks again, until there is a verdict. */
  async #settled(
    judge: Judge,
    nonce: string | undefined,
    waitUntil: WaitUntil | undefined,
  ): Promise<UserData | undefined> {
    const asked = new Asked(nonce);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const answer = judge(asked);
        if (answer === undefined) return undefined;
        if (answer instanceof UserData) {
          this.#refreshAhead(waitUntil);
          return answer;
        }
        if (answer instanceof Question) {
          await this.#sign(answer, asked);
        } else {
          await this.#done(answer, waitUntil);
          asked.fetched();
        }
      }
      throw unavailable();
    } finally {
      asked.free();
    }
  }

  #settledSync(
    judge: Judge,
    nonce: string | undefined,
    waitUntil: WaitUntil | undefined,
  ): UserData {
    const asked = new Asked(nonce);
    try {
      const answer = judge(asked);
      if (answer instanceof UserData) {
        this.#refreshAhead(waitUntil);
        return answer;
      }
      if (answer instanceof Question) {
        const algorithm = answer.algorithm();
        answer.free();
        if (later() === undefined) throw unavailable();
        throw unavailable(`this platform verifies ${algorithm} only with a promise: call \`verify\``);
      }
      // Throws a refusal; whatever else it wants is fetched for those who come later.
      if (answer !== undefined) this.#done(answer, waitUntil).catch(() => undefined);
      throw unavailable("the keys are not here yet: call `verify`");
    } finally {
      asked.free();
    }
  }

  async #sign(question: Question, asked: Asked): Promise<void> {
    try {
      const good = await later()?.verify(questionOf(question));
      if (good === undefined) throw unavailable();
      asked.signed(question.is_proof(), question.thumbprint(), good);
    } finally {
      question.free();
    }
  }

  /** Does what is asked for. Throws a refusal, at once. */
  #done(answer: string, waitUntil: WaitUntil | undefined): Promise<void> {
    const told = JSON.parse(answer) as Told;
    if (told.refused !== undefined) throw errorOf(told.refused, this.#transport.trouble);
    const { fetch: request, wait } = told;
    if (wait !== undefined) return this.#transport.wait(wait);
    if (request === undefined) throw unavailable();
    const work = this.#transport.send(request);
    outlive(work, waitUntil);
    return work;
  }

  /** Has keys fetched that will soon be too old. */
  #refreshAhead(waitUntil: WaitUntil | undefined): void {
    const told = this.#native.due(this.#now());
    if (told === undefined) return;
    for (const request of JSON.parse(told)) {
      const work = this.#transport.send(request);
      work.catch(() => undefined);
      outlive(work, waitUntil);
    }
  }
}

/** Says what is wrong with what a route needs: throws a {@link UssoError}, at the start of the app. */
export function assertNeeded(needed: Needed): void {
  const wrong = wrong_rule(ruleOf(needed, undefined));
  if (wrong !== undefined) throw invalid(wrong);
}

type Answered = UserData | Question | string | undefined;
type Judge = (asked: Asked) => Answered;

/** Whoever asked may leave; others wait for the same. What a server makes of it changes no verdict. */
function outlive(work: Promise<void>, waitUntil: WaitUntil | undefined): void {
  try {
    waitUntil?.(work);
  } catch {
    // A worker whose client has left cannot prolong anything.
  }
}

/** A nonce that was lost must not stand for none. */
function nonceOf(options: VerifyOptions | undefined): string | undefined {
  if (options === undefined) return undefined;
  if (!isPlain(options)) throw misused("the options are no plain object");
  if (!("nonce" in options)) return undefined;
  const { nonce } = options;
  if (typeof nonce === "string" && nonce !== "") return nonce;
  throw misused("`nonce` is no text");
}

function partsOf(request: Request | RequestHead): [method: string, target: string, lines: string] {
  if (typeof request !== "object" || request === null) throw misused("there is no request");
  const { method, target, headers } = "target" in request ? request : headOf(request);
  if (typeof method !== "string" || typeof target !== "string") {
    throw misused("a request needs method and target as text");
  }
  if (typeof headers?.[Symbol.iterator] !== "function") {
    throw misused("a request needs headers as a list or a `Headers`");
  }
  return [method, target, written(headers)];
}

/** What is no text is no token. */
function textOf(token: unknown): string {
  return typeof token === "string" ? token : "";
}

/** Writes what is needed. What is misspelt or of another kind must not let everybody in. */
function ruleOf(needed: Needed, params: Readonly<Record<string, string>> | undefined): string {
  const rule: Record<string, unknown> = {};
  for (const [name, value] of membersOf(needed)) {
    if (name === "params" || name === "waitUntil") continue;
    const written = WRITTEN.get(name);
    if (written === undefined) throw misused(`a caller cannot need \`${name}\``);
    if (!isNeed(value)) throw misused(`\`${name}\` of what is needed is empty or of another kind`);
    rule[written] = LISTS.has(name) && typeof value === "string" ? [value] : value;
  }
  const json = JSON.stringify(rule);
  return json === "{}" || params === undefined ? json : JSON.stringify({ ...rule, parameters: params });
}

function membersOf(needed: Needed): [string, unknown][] {
  if (!isPlain(needed)) throw misused("what is needed is no plain object");
  return Object.entries(needed);
}

function isNeed(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((item) => typeof item === "string");
  return (typeof value === "string" && value !== "") || typeof value === "boolean" || Number.isFinite(value);
}

function misused(message: string): UssoError {
  return new UssoError("call.invalid", message, 500);
}

function questionOf(question: Question) {
  return {
    algorithm: question.algorithm(),
    thumbprint: question.thumbprint(),
    jwk: () => question.jwk(),
    message: question.message() as Uint8Array<ArrayBuffer>,
    signature: question.signature() as Uint8Array<ArrayBuffer>,
  };
}

/** What is needed, and how the verifier in WebAssembly calls it. */
const WRITTEN: ReadonlyMap<string, string> = new Map([
  ["scope", "scopes"],
  ["role", "roles"],
  ["tenant", "tenant"],
  ["workspace", "workspace"],
  ["service", "service"],
  ["maxAge", "max_age"],
  ["acr", "acr"],
]);
const LISTS = new Set(["scope", "role", "acr"]);

const NO_REQUEST: RequestHead = { method: "GET", target: "/", headers: [] };
/** In 1998: what is before is given in another unit, or made up. */
const EARLIEST = 900_000_000;
/** Keys, their replacement, the token's signature for each, and that of a proof. */
const ROUNDS = 8;
