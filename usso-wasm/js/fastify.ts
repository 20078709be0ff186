/**
 * Fastify: guards as hooks of routes.
 *
 * ```js
 * const auth = usso(createVerifier({ issuer, audience }));
 * app.register(auth.plugin);
 * const onRequest = auth.require("read:users?user_id={id}");
 * app.get("/users/:id", { onRequest }, (request) => request.user);
 * ```
 *
 * A guard may be an `onRequest` hook, before the body is read, or any other until `preHandler`.
 */

import type { FastifyRequest } from "fastify";

import { UssoError } from "./error.js";
import {
  admit,
  assertVerifier,
  callerOf,
  neededOf,
  refusalOf,
  type Seen,
  type WantedIfAny,
} from "./guard.js";
import {
  addHeaders,
  byName,
  headOfNode,
  type NodeRequest,
  type NodeResponse,
} from "./node_http.js";
import type { UserData } from "./user.js";
import type { Needed, Verifier } from "./verifier.js";

declare module "fastify" {
  interface FastifyRequest {
    /** The caller, if there is one. */
    user?: UserData | undefined;
  }
}

/** What is needed of an app. */
export interface FastifyApp {
  hasRequestDecorator(name: string): boolean;
  decorateRequest(name: "user"): unknown;
}

/** What is needed of a request, of `node:http` or `node:http2`. */
export interface Asked extends Pick<FastifyRequest, "originalUrl" | "params"> {
  readonly raw: NodeRequest;
}

/** What is needed of a reply. */
export interface Reply {
  readonly raw: NodeResponse;
  code(status: number): unknown;
  header(name: string, value: string | string[]): unknown;
  send(body: unknown): unknown;
}

export type Hook = (request: Asked, reply: Reply) => Promise<unknown>;

/** The guards of an app. */
export interface Auth {
  /** Makes room for `request.user`. */
  readonly plugin: (app: FastifyApp) => Promise<void>;
  /**
   * Lets callers in who have all that is wanted; `request.user` is the caller. Throws a
   * {@link UssoError} with the code `config.invalid`.
   */
  require(...wanted: WantedIfAny): Hook;
  /** Lets callers without a credential in, too. One that is sent and not good is refused. */
  optional(): Hook;
  /** Gives the caller whom a guard let in. Throws an `Error` if there is none. */
  user(request: object): UserData;
  /** Answers the refusals that handlers throw: `app.setErrorHandler(auth.onError)`. */
  onError(error: unknown, request: object, reply: Reply): unknown;
}

/** Makes the guards of a verifier. */
export function usso(verifier: Verifier): Auth {
  assertVerifier(verifier);
  return {
    plugin,
    require: (...wanted) => hook(verifier, neededOf(wanted)),
    optional: () => hook(verifier, undefined),
    user: (request) => callerOf(verifier, request),
    onError: (error, _request, reply) =>
      error instanceof UssoError ? refuse(reply, error) : reply.send(error),
  };
}

async function plugin(app: FastifyApp): Promise<void> {
  if (!app.hasRequestDecorator("user")) app.decorateRequest("user");
}

// What `fastify-plugin` does: the decoration is for whoever registers this.
Object.assign(plugin, { [Symbol.for("skip-override")]: true });

function hook(verifier: Verifier, needed: Needed | undefined): Hook {
  return async (request, reply) => {
    try {
      const { raw, originalUrl, params } = request;
      const seen: Seen = { key: request, head: headOfNode(raw, originalUrl), params };
      const user = await admit(verifier, seen, needed);
      (request as { user?: UserData | undefined }).user = user;
      addHeaders(reply.raw, verifier.responseHeaders(seen.head, needed === undefined));
      return undefined;
    } catch (error) {
      return refuse(reply, refusalOf(error));
    }
  };
}

function refuse(reply: Reply, { response }: UssoError): Reply {
  reply.code(response.status);
  for (const [name, values] of byName(response.headers)) reply.header(name, values);
  // Text would get a character set that the answer has not.
  reply.send(new TextEncoder().encode(response.body));
  return reply;
}
