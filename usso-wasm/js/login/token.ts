/** An access token in memory, and how long it lives by the clocks of this machine. */

import { badAnswer } from "./error.js";

/**
 * The claims of the access token, for display. Whoever decides something by them verifies the token
 * first.
 */
export interface SessionUser {
  readonly sub: string;
  readonly [claim: string]: unknown;
}

export interface Token {
  readonly access: string;
  readonly user: SessionUser;
  /** How long it lives, in milliseconds since it was asked for. */
  readonly life: number;
  /** When it was asked for, by `Date.now`, which counts while the machine sleeps. */
  readonly since: number;
  /** The same by `performance.now`, which nobody can set back. */
  readonly mark: number;
  /** After which part of its life it is renewed, in milliseconds. */
  readonly renewal: number;
}

/**
 * Makes a token of what the server or another tab told. `life` is in milliseconds. Throws
 * `sso.bad_answer` if it is none.
 */
export function tokenOf(access: unknown, life: unknown, since: number): Token {
  if (typeof access !== "string" || !TEXT.test(access)) throw badAnswer(200);
  const user = claimsOf(access);
  const lasts = typeof life === "number" ? life : lifeIn(user);
  if (!(lasts > 0 && lasts < LONGEST)) throw badAnswer(200);
  const passed = Math.max(0, Date.now() - since);
  // Tabs that have the same token do not all renew it in the same moment.
  const ahead = Math.min(AHEAD, lasts / 2) * (0.75 + Math.random() / 2);
  const mark = performance.now() - passed;
  return { access, user, life: lasts, since, mark, renewal: lasts - ahead };
}

/** How old a token is, in milliseconds, by the clock that says more. */
export function ageOf({ since, mark }: Token): number {
  return Math.max(0, Date.now() - since, performance.now() - mark);
}

/** Says whether it should be renewed. */
export function isDue(token: Token): boolean {
  return ageOf(token) >= token.renewal;
}

/** Says whether it is over. */
export function isOver(token: Token): boolean {
  return ageOf(token) >= token.life;
}

/** Says whether two tokens are of one session of one user. */
export function isSameSession(one: Token, other: Token): boolean {
  const [a, b] = [one.user, other.user];
  return a.sub === b.sub && a["session_id"] === b["session_id"];
}

/** Reads the claims. The server, which is asked over https, vouches for them, not the signature. */
function claimsOf(access: string): SessionUser {
  try {
    const [, payload = ""] = access.split(".");
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof claims === "object" && claims !== null && "sub" in claims) {
      if (typeof claims.sub === "string") return freeze(claims) as SessionUser;
    }
  } catch {
    // It is refused below.
  }
  throw badAnswer(200);
}

/** For how long the server made it, by the server's own clock. */
function lifeIn({ exp, iat }: SessionUser): number {
  return typeof exp === "number" && typeof iat === "number" ? (exp - iat) * 1000 : Number.NaN;
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}

const TEXT = /^[\x21-\x7e]{1,16384}$/;
const AHEAD = 60_000;
const LONGEST = 1e12;
