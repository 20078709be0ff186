/**
 * Next.js: guards for route handlers and for `middleware.ts` or `proxy.ts`; the caller of a page.
 *
 * ```ts
 * export const GET = auth.require("read:users?user_id={id}")(async (user, request, { params }) => {
 *   return Response.json({ caller: user.sub, of: (await params).id });
 * });
 * ```
 *
 * `next.config` needs `serverExternalPackages: ["usso"]`, so that the WebAssembly is found.
 *
 * A middleware can be passed by: misconfigured matchers did that, and CVE-2025-29927. Guard what it
 * leads to as well.
 */

import { type Auth as FetchAuth, guard } from "./fetch.js";
import { assertVerifier, neededOf, refusalOf, type WantedIfAny } from "./guard.js";
import type { UserData } from "./user.js";
import type { Verifier } from "./verifier.js";

/** Guards. `{name}` in what they want is a part of the path as the handler gets it. */
export interface Auth extends Pick<FetchAuth, "require" | "optional"> {
  /**
   * Guards what a `matcher` names: `export const proxy = auth.middleware()`. Around a middleware of
   * your own put `auth.require()`, as around a route handler. What a cookie or key opens is sent
   * with `Cache-Control: private, no-store`, whatever is behind the middleware.
   */
  middleware(...wanted: WantedIfAny): (request: Request, event?: object) => Promise<Response>;
  /**
   * Gives the caller of a page or a server action: `await auth.currentUser(await headers())`;
   * `undefined` if there is no credential. Throws a `UssoError` if it is not good, such as
   * `token.expired`.
   *
   * What may be an action is taken as one: then a cookie counts only from pages of the service.
   * What is bound to a key by DPoP is refused here: a page does not know its method and address.
   */
  currentUser(headers: Headers): Promise<UserData | undefined>;
}

/** Makes the guards of a verifier. */
export function usso(verifier: Verifier): Auth {
  assertVerifier(verifier);
  return {
    require: (...wanted) => guard<UserData>(verifier, neededOf(wanted), paramsOf),
    optional: () => guard<UserData | undefined>(verifier, undefined, paramsOf),
    middleware: (...wanted) => {
      const guarded = guard<UserData>(verifier, neededOf(wanted), () => undefined);
      return guarded((_user, _request: Request, ..._event: [event?: object]) => onward());
    },
    currentUser: async (headers) => {
      const method = BY_POST.some((name) => headers.has(name)) ? "POST" : "GET";
      try {
        const unproven = [...headers].filter(([name]) => name !== "dpop");
        return await verifier.authenticate({ method, target: "/", headers: unproven });
      } catch (error) {
        throw refusalOf(error);
      }
    },
  };
}

/** What `NextResponse.next()` gives. */
function onward(): Response {
  return new Response(null, { headers: { "x-middleware-next": "1" } });
}

/** Next gives them in the second argument, since version 15 as a promise. */
function paramsOf(_request: Request, context: unknown): unknown {
  return (context as { params?: unknown } | undefined)?.params;
}

/** One of these is in every POST of a browser, and in no request for a page. */
const BY_POST = ["origin", "content-type", "content-length", "transfer-encoding", "next-action"];
