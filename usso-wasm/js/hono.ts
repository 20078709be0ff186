/**
 * Hono: guards as middleware.
 *
 * ```ts
 * const auth = usso(createVerifier({ issuer, audience }));
 * const app = new Hono<{ Variables: UssoVariables }>();
 * app.get("/users/:id", auth.require("read:users?user_id={id}"), (c) => c.json(c.get("user")));
 * ```
 *
 * Browsers ask by `OPTIONS` without a credential: put `cors()` before the guards.
 */

import { UssoError } from "./error.js";
import { added, responseOf, waitUntilOf } from "./fetch_answer.js";
import { admit, assertVerifier, callerOf, neededOf, refusalOf, type WantedIfAny } from "./guard.js";
import { headOf } from "./head.js";
import type { UserData } from "./user.js";
import type { Needed, Verifier } from "./verifier.js";

/** What guards set: the caller. Where callers may be unknown, see {@link MaybeVariables}. */
export interface UssoVariables {
  user: UserData;
}

/** What `optional()` sets. */
export interface MaybeVariables {
  user: UserData | undefined;
}

/** What is needed of a context. */
export interface HonoContext {
  readonly req: { readonly raw: Request; param(): unknown };
  readonly res: Response;
  readonly error: Error | undefined;
  readonly executionCtx: object;
  set(name: never, value: never): void;
  header(name: string, value: string): void;
}

export type Middleware = (c: HonoContext, next: () => Promise<void>) => Promise<Response | void>;

/** The guards of an app. */
export interface Auth {
  /**
   * Lets callers in who have all that is wanted; `c.get("user")` is the caller. Throws a
   * {@link UssoError} with the code `config.invalid`.
   */
  require(...wanted: WantedIfAny): Middleware;
  /** Lets callers without a credential in, too. One that is sent and not good is refused. */
  optional(): Middleware;
  /** Gives the caller whom a guard let in. Throws an `Error` if there is none. */
  user(c: object): UserData;
  /** Answers the refusals that handlers throw; the rest is answered with 500, as Hono does. */
  onError(error: Error, c: HonoContext): Response;
}

/** Makes the guards of a verifier. */
export function usso(verifier: Verifier): Auth {
  assertVerifier(verifier);
  return {
    require: (...wanted) => middleware(verifier, neededOf(wanted)),
    optional: () => middleware(verifier, undefined),
    user: (c) => callerOf(verifier, c),
    onError: (error, c) => {
      if (error instanceof UssoError) return refuse(c, error);
      throw error;
    },
  };
}

function middleware(verifier: Verifier, needed: Needed | undefined): Middleware {
  return async (c, next) => {
    let headers: [string, string][];
    try {
      const head = headOf(c.req.raw);
      const seen = { key: c, head, params: c.req.param(), waitUntil: waitUntilOf([contextOf(c)]) };
      const user = await admit(verifier, seen, needed);
      c.set("user" as never, user as never);
      headers = verifier.responseHeaders(head, needed === undefined);
    } catch (error) {
      return refuse(c, refusalOf(error));
    }
    await next();
    // What has no content of its own, or is an upgrade, cannot be changed.
    if (headers.length === 0 || !(c.res.status >= 200)) return;
    for (const [name, value] of added(headers, c.res.headers)) c.header(name, value);
  };
}

function refuse(c: HonoContext, error: UssoError): Response {
  // What others said before about this answer, such as how long to keep it, is not about a refusal.
  for (const [name] of error.response.headers) c.res.headers.delete(name);
  return responseOf(error, c.req.raw);
}

function contextOf(c: HonoContext): object | undefined {
  try {
    return c.executionCtx;
  } catch {
    // Not in a worker.
    return undefined;
  }
}
