/** `fetch` with the access token, for some origins only. */

import { signedOut, userChanged } from "./error.js";
import type { SessionUser } from "./token.js";

/** Who has the token. */
export interface Bearer {
  user(): SessionUser | undefined;
  accessToken(): Promise<string | undefined>;
  /** Gives another token than the one that an API refused, or none. */
  accessTokenAfter(refused: string): Promise<string | undefined>;
}

/**
 * Sends a request with the token if it goes to one of the origins. An answer of 401 leads to one
 * renewal and one repetition, unless the body is a stream.
 */
export async function fetchAs(
  bearer: Bearer,
  origins: ReadonlySet<string>,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
): Promise<Response> {
  const asked = new Request(input, init);
  if (!origins.has(new URL(asked.url).origin) || asked.headers.has("authorization")) {
    return fetch(asked);
  }
  const before = bearer.user()?.sub;
  const access = await bearer.accessToken();
  const sender = bearer.user()?.sub;
  // What one user has begun is not sent in the name of another, or of nobody.
  if (before !== undefined && sender !== before) {
    throw sender === undefined ? signedOut() : userChanged();
  }
  if (access === undefined) return fetch(asked);
  const request = confined(asked);
  const spare = init?.body instanceof ReadableStream ? undefined : request.clone();
  const response = await fetch(carrying(request, access));
  if (response.status !== 401 || spare === undefined) return response;
  const next = await bearer.accessTokenAfter(access).catch(() => undefined);
  if (next === undefined || bearer.user()?.sub !== sender) return response;
  await response.body?.cancel();
  return fetch(carrying(spare, next));
}

/**
 * Keeps the token from following a redirect to another origin; not every browser drops it there.
 */
function confined(request: Request): Request {
  if (request.redirect !== "follow") return request;
  const own = typeof location !== "undefined" && new URL(request.url).origin === location.origin;
  return own
    ? new Request(request, { mode: "same-origin" })
    : new Request(request, { redirect: "error" });
}

function carrying(request: Request, access: string): Request {
  request.headers.set("authorization", `Bearer ${access}`);
  return request;
}
