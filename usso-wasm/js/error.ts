/** Refusals, as apps see them. */

import type { Answer, Refused, Told } from "./native.js";

/** The answer to a refused request. */
export interface RefusedResponse {
  readonly status: number;
  /** In order; a name may be there twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/**
 * A refusal. Its message is in English and holds nothing of a token.
 *
 * `code` is stable: `token.expired`, `access.scope`, `config.invalid` and the like; the same in
 * Rust and Python.
 */
export class UssoError extends Error {
  override readonly name = "UssoError";
  /** The stable code. */
  readonly code: string;
  /** The HTTP status to answer with. */
  readonly status: number;
  /** The value of `WWW-Authenticate` for a token without a request. */
  readonly challenge: string | undefined;
  /** The whole answer to the request that was refused. */
  readonly response: RefusedResponse;

  constructor(code: string, message: string, status: number, more: Partial<UssoErrorDetails> = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.status = status;
    this.challenge = more.challenge;
    this.response = Object.freeze(more.response ?? plain(code, message, status, more.challenge));
  }
}

interface UssoErrorDetails {
  challenge: string | undefined;
  response: RefusedResponse | undefined;
  /** Why the keys could not be had, or what failed. */
  cause: unknown;
}

/** Makes the error of a refusal. `trouble` is why keys could not be had, if they could not. */
export function errorOf(refused: Refused, trouble?: Error): UssoError {
  const { code, message, status, challenge, answer } = refused;
  const response = answer == null ? plain(code, message, status, challenge) : responseOf(answer);
  const hint = HINTS.get(code);
  const told = hint === undefined ? message : `${message}; ${hint}`;
  const cause = code === "token.keys_unavailable" ? trouble : undefined;
  return new UssoError(code, told, status, { challenge, response, cause });
}

/** What helps who runs the app, and is not for clients. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ["token.audience", "compare its `aud` with `audience` (`decodeUnverified` shows it)"],
  ["token.malformed", "a token is three parts with two dots, without `Bearer` in front"],
  [
    "token.unknown_issuer",
    "compare its `iss` with `issuer` exactly, also a slash at the end (`decodeUnverified` shows it)",
  ],
]);

/** Makes the error of a refusal in JSON. */
export function errorOfTold(told: string): UssoError {
  const { refused } = JSON.parse(told) as Told;
  return refused === undefined ? unavailable() : errorOf(refused);
}

/** A mistake in the configuration. */
export function invalid(message: string): UssoError {
  return new UssoError("config.invalid", message, 500);
}

/** Nobody can tell at present. */
export function unavailable(why = UNAVAILABLE, cause?: unknown): UssoError {
  return new UssoError("access.unavailable", why, 503, { cause });
}

const UNAVAILABLE = "the caller cannot be verified at present";

function responseOf([status, headers, body]: Answer): RefusedResponse {
  return { status, headers, body };
}

function plain(
  error_code: string,
  message: string,
  status: number,
  challenge: string | undefined,
): RefusedResponse {
  const headers: [string, string][] = [["content-type", "application/json"]];
  if (challenge !== undefined) headers.push(["www-authenticate", challenge]);
  return { status, headers, body: JSON.stringify({ error_code, message: { en: message } }) };
}
