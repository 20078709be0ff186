/**
 * Express, Connect and plain `node:http`: guards as middleware.
 *
 * ```js
 * const auth = usso(createVerifier({ issuer, audience }));
 * app.get("/users/:id", auth.require("read:users?user_id={id}"), (req, res) => res.json(req.user));
 * ```
 *
 * What the client sent is judged, not what middleware wrote into `req.headers`. Browsers ask by
 * `OPTIONS` without a credential: put `cors()` before the guards.
 */

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
  headOfNode,
  type NodeRequest,
  type NodeResponse,
  refuse,
} from "./node_http.js";
import type { UserData } from "./user.js";
import type { Needed, Verifier } from "./verifier.js";

declare global {
  // Where Express and Passport have theirs.
  namespace Express {
    interface User extends UserData {}
    interface Request {
      /** The caller, if there is one. */
      user?: User | undefined;
    }
  }
}

/** A request of Express, Connect, `node:http` or `node:http2`. */
export interface ExpressRequest extends NodeRequest {
  readonly originalUrl?: string;
}

/** Calls what is behind the guard. What `next` throws is given to whoever awaits the guard. */
export type Middleware = (
  req: ExpressRequest,
  res: NodeResponse,
  next: (error?: unknown) => unknown,
) => Promise<void>;

/** The connection of a request for an upgrade. */
export interface UpgradeSocket {
  on(event: "error", listener: () => void): unknown;
  off(event: "error", listener: () => void): unknown;
  once(event: "close" | "finish", listener: () => void): unknown;
  end(text: string): unknown;
  destroy(): unknown;
  readonly destroyed: boolean;
}

/** The guards of an app. */
export interface Auth {
  /**
   * Lets callers in who have all that is wanted; `req.user` is the caller. Throws a
   * {@link UssoError} with the code `config.invalid`.
   */
  require(...wanted: WantedIfAny): Middleware;
  /** Lets callers without a credential in, too. One that is sent and not good is refused. */
  optional(): Middleware;
  /** Gives the caller whom a guard let in. Throws an `Error` if there is none. */
  user(req: object): UserData;
  /** Guards the listener of a server's event `upgrade`, which no middleware sees: WebSockets. */
  upgrade(
    ...wanted: WantedIfAny
  ): <R extends NodeRequest, S extends UpgradeSocket, H>(
    listener: (user: UserData, req: R, socket: S, head: H) => unknown,
  ) => (req: R, socket: S, head: H) => Promise<void>;
  /** Answers the refusals that handlers throw: `app.use(auth.onError)`, after the routes. */
  onError(error: unknown, req: object, res: NodeResponse, next: (error?: unknown) => unknown): void;
}

/** Makes the guards of a verifier. */
export function usso(verifier: Verifier): Auth {
  assertVerifier(verifier);
  return {
    require: (...wanted) => middleware(verifier, neededOf(wanted)),
    optional: () => middleware(verifier, undefined),
    user: (req) => callerOf(verifier, req),
    upgrade: (...wanted) => {
      const needed = neededOf(wanted);
      return (listener) => (req, socket, head) =>
        upgraded(verifier, needed, req, socket, (user) => listener(user, req, socket, head));
    },
    onError: (error, _req, res, next) => {
      if (error instanceof UssoError && !res.headersSent) refuse(res, error);
      else next(error);
    },
  };
}

function middleware(verifier: Verifier, needed: Needed | undefined): Middleware {
  return async (req, res, next) => {
    try {
      const seen = seenOf(req);
      const user = await admit(verifier, seen, needed);
      (req as { user?: UserData | undefined }).user = user;
      addHeaders(res, verifier.responseHeaders(seen.head, needed === undefined));
    } catch (error) {
      refuse(res, refusalOf(error));
      return;
    }
    next();
  };
}

function seenOf(req: ExpressRequest): Seen {
  // Not in the type, from which TypeScript would take what the parts of the path are.
  const { params } = req as { params?: unknown };
  return { key: req, head: headOfNode(req, req.originalUrl), params };
}

async function upgraded(
  verifier: Verifier,
  needed: Needed,
  req: NodeRequest,
  socket: UpgradeSocket,
  listener: (user: UserData) => unknown,
): Promise<void> {
  // Who leaves while their token is looked at does no harm.
  socket.on("error", ignore);
  let user: UserData;
  try {
    user = (await admit(verifier, seenOf(req), needed)) as UserData;
  } catch (error) {
    // Nothing else ends a connection after the upgrade, whatever the client goes on to send.
    const deadline = setTimeout(() => socket.destroy(), LINGER);
    socket.once("close", () => clearTimeout(deadline));
    socket.once("finish", () => socket.destroy());
    socket.end(raw(refusalOf(error)));
    return;
  }
  socket.off("error", ignore);
  if (!socket.destroyed) await listener(user);
}

/** Writes an answer as it is sent. */
function raw({ response: { status, headers, body } }: UssoError): string {
  const length = new TextEncoder().encode(body).length;
  const lines = [...headers, ["content-length", length], ["connection", "close"]];
  return [
    `HTTP/1.1 ${status} Refused`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
    "",
    body,
  ].join("\r\n");
}

function ignore(): void {}

/** How many milliseconds a client may take to read that its upgrade is refused. */
const LINGER = 5000;
