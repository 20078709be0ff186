/**
 * Handlers of the Fetch API, as in Cloudflare Workers, Deno and Bun: guards around them.
 *
 * ```js
 * const auth = usso(createVerifier({ issuer, audience }));
 * const files = auth.require("read:files")((user, request, env, ctx) => Response.json(user));
 * export default { fetch: files };
 * ```
 *
 * Browsers ask by `OPTIONS` without a credential: answer that before the guards.
 */

import { UssoError } from "./error.js";
import { added, responseOf, waitUntilOf } from "./fetch_answer.js";
import { admit, assertVerifier, neededOf, refusalOf, type WantedIfAny } from "./guard.js";
import { headOf } from "./head.js";
import type { UserData } from "./user.js";
import type { Needed, Verifier } from "./verifier.js";

/** Gives what stands for `{name}`, spelled as the handler reads it. */
export type Params = (request: Request, ...rest: unknown[]) => unknown;

/** A handler behind a guard: of the caller, the request and what else the server gives. */
export type Handler<Caller, R extends Request, Rest extends unknown[]> = (
  user: Caller,
  request: R,
  ...rest: Rest
) => Response | Promise<Response>;

/** Puts a guard around a handler. The answer to a refusal that the handler throws is made here. */
export type Guard<Caller> = <R extends Request, Rest extends unknown[]>(
  handler: Handler<Caller, R, Rest>,
) => (request: R, ...rest: Rest) => Promise<Response>;

/** The guards of an app. */
export interface Auth {
  /**
   * Lets callers in who have all that is wanted. Throws a {@link UssoError} with the code
   * `config.invalid`.
   */
  require(...wanted: WantedIfAny): Guard<UserData>;
  /** Lets callers without a credential in, too. One that is sent and not good is refused. */
  optional(): Guard<UserData | undefined>;
  /**
   * Gives the same guards, with parts of the path for `{name}`, such as
   * `auth.params((request) => new URLPattern(…).exec(request.url)?.pathname.groups)`.
   */
  params(params: Params): Auth;
}

/** Makes the guards of a verifier. */
export function usso(verifier: Verifier): Auth {
  assertVerifier(verifier);
  return guards(verifier, () => undefined);
}

function guards(verifier: Verifier, params: Params): Auth {
  return {
    require: (...wanted) => guard<UserData>(verifier, neededOf(wanted), params),
    optional: () => guard<UserData | undefined>(verifier, undefined, params),
    params: (own) => guards(verifier, own),
  };
}

/** @internal */
export function guard<Caller extends UserData | undefined>(
  verifier: Verifier,
  needed: Needed | undefined,
  params: Params,
): Guard<Caller> {
  return (handler) =>
    async (request, ...rest) => {
      let user: UserData | undefined;
      let headers: [string, string][];
      // The app's own, as the handler is: its errors are the app's, too.
      const parts: unknown = await params(request, ...rest);
      try {
        const head = headOf(request);
        const seen = { key: request, head, params: parts, waitUntil: waitUntilOf(rest) };
        user = await admit(verifier, seen, needed);
        headers = verifier.responseHeaders(head, needed === undefined);
      } catch (error) {
        return responseOf(refusalOf(error), request);
      }
      try {
        return answered(await handler(user as Caller, request, ...rest), headers);
      } catch (error) {
        if (error instanceof UssoError) return responseOf(error, request);
        throw error;
      }
    };
}

/** Adds headers to a copy: the app may give the same answer to others. */
function answered(response: Response, headers: [string, string][]): Response {
  // What has no content of its own, or is an upgrade, cannot be copied.
  if (headers.length === 0 || !(response?.status >= 200)) return response;
  const copy = new Response(response.body, response);
  const isOnward = response.headers.has("x-middleware-next");
  for (const [name, value] of added(headers, response.headers)) {
    // A middleware of Next.js overrides who answers behind it, who may want more than `private`.
    copy.headers.set(name, isOnward && name === "cache-control" ? "private, no-store" : value);
  }
  return copy;
}
