/** Requests and answers of Node's own servers, which Express and Fastify have under them. */

import type { UssoError } from "./error.js";
import { varied } from "./guard.js";
import type { RequestHead } from "./head.js";

/** What is needed of a request of `node:http` or `node:http2`. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What is needed of an answer. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  getHeader(name: string): unknown;
  setHeader(name: string, value: string | string[]): unknown;
  end(body: string): unknown;
}

/** Describes a request. `target` is what the client sent, whatever routers cut off. */
export function headOfNode(request: NodeRequest, target: string | undefined): RequestHead {
  const { method = "GET", url = "/" } = request;
  return { method, target: target ?? url, headers: linesOf(request) };
}

/** Adds headers when the answer starts, so that what the app says about caches counts. */
export function addHeaders(
  response: NodeResponse,
  headers: readonly (readonly [name: string, value: string])[],
): void {
  if (headers.length === 0 || response.headersSent) return;
  const own = response as unknown as { writeHead: (...args: unknown[]) => unknown };
  const writeHead = own.writeHead;
  own.writeHead = (status, ...rest) => {
    own.writeHead = writeHead;
    const given = rest.findIndex((part) => typeof part === "object" && part !== null);
    if (given >= 0) setAll(response, rest.splice(given)[0] as object);
    for (const [name, value] of headers) {
      const present = response.getHeader(name);
      if (name === "vary") response.setHeader(name, varied(present?.toString(), value));
      else if (name !== "cache-control" || present === undefined) response.setHeader(name, value);
    }
    return writeHead.call(response, status, ...rest);
  };
}

/** Answers a request that is refused. */
export function refuse(response: NodeResponse, { response: answer }: UssoError): void {
  if (response.headersSent) {
    response.end("");
    return;
  }
  response.statusCode = answer.status;
  for (const [name, values] of byName(answer.headers)) response.setHeader(name, values);
  response.end(answer.body);
}

/** Gathers the values of each name. */
export function byName(
  headers: Iterable<readonly [string, string]>,
): Map<string, string | string[]> {
  const names = new Map<string, string | string[]>();
  for (const [name, value] of headers) {
    const before = names.get(name);
    names.set(name, before === undefined ? value : [before, value].flat());
  }
  return names;
}

function linesOf({ rawHeaders, headers }: NodeRequest): readonly string[] {
  // What only looks like a server of Node may leave the lines out.
  const lines = rawHeaders?.length > 0 ? rawHeaders : Object.entries(headers ?? {}).flatMap(lined);
  const host = headers?.[":authority"];
  // HTTP/2 has the host there.
  const moved = typeof host === "string" && headers["host"] === undefined;
  return moved ? [...lines, "host", host] : lines;
}

function lined([name, values]: [string, string | readonly string[] | undefined]): string[] {
  return [values ?? []].flat().flatMap((value) => [name, value]);
}

/** Sets what was given to `writeHead`: an object, names and values by turns, or pairs. */
function setAll(response: NodeResponse, given: object): void {
  if (!Array.isArray(given)) {
    for (const [name, value] of Object.entries(given)) response.setHeader(name, value);
    return;
  }
  const flat: string[] = Array.isArray(given[0]) ? given.flat() : given;
  const pairs = flat.flatMap((name, at): [string, string][] => {
    const value = flat[at + 1];
    return at % 2 === 0 && value !== undefined ? [[name, value]] : [];
  });
  const cased = new Map(pairs.map(([name]) => [name.toLowerCase(), name]));
  const named = byName(pairs.map(([name, value]) => [name.toLowerCase(), value]));
  for (const [name, values] of named) response.setHeader(cased.get(name) ?? name, values);
}
