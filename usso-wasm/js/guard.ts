/** What the adapters share: what a route needs, and one verdict for each request and verifier. */

import { invalid, unavailable, UssoError } from "./error.js";
import { type RequestHead, written } from "./head.js";
import { isPlain } from "./options.js";
import type { WaitUntil } from "./transport.js";
import type { UserData } from "./user.js";
import { assertNeeded, type Needed, type Verifier } from "./verifier.js";

/** A scope, scopes of which all are needed, or everything that is. */
export type Wanted = string | readonly string[] | Needed;

/** Nothing: a caller, whoever it is. Else what is wanted of them. */
export type WantedIfAny = [] | [wanted: Wanted];

/** A request as an adapter sees it. */
export interface Seen {
  /** The object that stands for the request in its framework: the key of the verdict. */
  readonly key: object;
  readonly head: RequestHead;
  /** What the router found in the path. */
  readonly params?: unknown;
  readonly waitUntil?: WaitUntil | undefined;
}

/** Throws a {@link UssoError} with the code `config.invalid` if this is no verifier. */
export function assertVerifier(verifier: Verifier): void {
  if (typeof verifier?.authenticate !== "function") {
    throw invalid("`usso` takes a verifier: what `createVerifier` gives");
  }
}

/**
 * Reads what a route needs. Throws a {@link UssoError} with the code `config.invalid`.
 *
 * What is there and `undefined` or empty is refused: a name that is misspelt must not open a route.
 */
export function neededOf(wanted: readonly unknown[]): Needed {
  if (wanted.length === 0) return {};
  if (wanted.length > 1) throw invalid("a route needs one thing: a list of scopes, or an object");
  const [first] = wanted;
  const given = typeof first === "string" || Array.isArray(first) ? { scope: first } : first;
  if (typeof given !== "object" || given === null) {
    throw invalid("what a route needs is a scope, a list of scopes or an object");
  }
  const needed: Record<string, unknown> = {};
  if (!isPlain(given)) throw invalid("what a route needs is no plain object");
  for (const [name, value] of Object.entries(given)) {
    if (name === "params" || name === "waitUntil") throw invalid(`a route cannot need \`${name}\``);
    needed[name] = Array.isArray(value) ? [...value] : value;
  }
  try {
    assertNeeded(needed);
  } catch (error) {
    throw error instanceof UssoError ? invalid(error.message) : error;
  }
  return needed;
}

/**
 * Verifies the caller of a request and judges them. Without `needed` there need not be one. Throws
 * nothing but a {@link UssoError}, whose `response` is the answer.
 */
export async function admit(
  verifier: Verifier,
  seen: Seen,
  needed: Needed | undefined,
): Promise<UserData | undefined> {
  try {
    const verdict = verdictOn(verifier, seen);
    const user = await verdict.user;
    if (needed !== undefined) {
      verifier.check(user, { ...needed, params: textsOf(seen.params) }, seen.head);
    }
    verdict.found = user;
    return user;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** Gives the caller whom a guard of this verifier found. Throws if there is none. */
export function callerOf(verifier: Verifier, key: object): UserData {
  const user = VERDICTS.get(verifier)?.get(key)?.found;
  if (user === undefined) throw new Error("nobody is known here: guard this route by `require`");
  return user;
}

/** What is none of the verifier's refusals is a failure, and lets nobody in. */
export function refusalOf(error: unknown): UssoError {
  return error instanceof UssoError ? error : unavailable(undefined, error);
}

/** Adds names to the value of `Vary`. */
export function varied(vary: string | null | undefined, more: string): string {
  const names = listOf(vary ?? "");
  const known = new Set(names.map((name) => name.toLowerCase()));
  if (known.has("*")) return "*";
  return [...names, ...listOf(more).filter((name) => !known.has(name))].join(", ");
}

interface Verdict {
  /** Method, target and headers of what was verified. */
  readonly of: string;
  readonly user: Promise<UserData | undefined>;
  found?: UserData | undefined;
}

/**
 * Verifies a request once, however many guards ask, since a proof of DPoP is good once. What was
 * changed meanwhile is another request, and what another verifier said does not count.
 */
function verdictOn(verifier: Verifier, { key, head, waitUntil }: Seen): Verdict {
  let verdicts = VERDICTS.get(verifier);
  if (verdicts === undefined) VERDICTS.set(verifier, (verdicts = new WeakMap()));
  const of = `${head.method} ${head.target}\n${written(head.headers)}`;
  let verdict = verdicts.get(key);
  if (verdict?.of !== of) {
    const options = waitUntil === undefined ? {} : { waitUntil };
    verdict = { of, user: verifier.authenticate(head, options) };
    verdicts.set(key, verdict);
  }
  return verdict;
}

/** Gives the parts of a path that are one text. */
function textsOf(params: unknown): Record<string, string> {
  const texts: [string, string][] = [];
  for (const [name, value] of Object.entries(params ?? {})) {
    if (typeof value === "string") texts.push([name, value]);
  }
  return Object.fromEntries(texts);
}

function listOf(names: string): string[] {
  return names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
/** Verdicts live as long as their request and verifier. */
const VERDICTS = new WeakMap<Verifier, WeakMap<object, Verdict>>();
