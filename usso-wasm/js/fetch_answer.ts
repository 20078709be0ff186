/** Answers of the Fetch API. */

import type { UssoError } from "./error.js";
import { varied } from "./guard.js";
import type { WaitUntil } from "./transport.js";

/** Makes the answer to a request that is refused. */
export function responseOf({ response }: UssoError, request?: { method: string }): Response {
  const headers = new Headers();
  for (const [name, value] of response.headers) headers.append(name, value);
  const body = request?.method === "HEAD" ? null : response.body;
  return new Response(body, { status: response.status, headers });
}

/** Says which headers to set so that these are added; what the app says about caches counts. */
export function added(
  headers: readonly (readonly [name: string, value: string])[],
  answer: Headers,
): (readonly [name: string, value: string])[] {
  const kept = headers.filter(([name]) => name !== "cache-control" || !answer.has(name));
  return kept.map(([name, value]) => {
    return name === "vary" ? ([name, varied(answer.get(name), value)] as const) : [name, value];
  });
}

/** Finds the `waitUntil` of an edge worker among what its handler is given. */
export function waitUntilOf(given: readonly unknown[]): WaitUntil | undefined {
  for (const part of [...given].reverse()) {
    const context = part as { waitUntil?: unknown } | null | undefined;
    if (typeof context?.waitUntil === "function") {
      return (work) => (context as { waitUntil: WaitUntil }).waitUntil(work);
    }
  }
  return undefined;
}
