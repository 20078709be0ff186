// Real servers on a free port, which a test closes when it is over.

import { once } from "node:events";
import { createServer } from "node:http";

import { serve as serveHono } from "@hono/node-server";

/** Serves a listener of `node:http`; gives the port. */
export async function serveNode(test, listener) {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => close(server));
  return server.address().port;
}

/** Serves one handler behind guards, without a framework. */
export function serveGuarded(t, guards, handler) {
  return serveNode(t, (req, res) => {
    const step = (at) =>
      guards[at] ? guards[at](req, res, () => step(at + 1)) : handler(req, res);
    return step(0);
  });
}

/** Serves a handler of the Fetch API; gives the port. */
export async function serveFetch(test, fetch) {
  const server = serveHono({ fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  test.after(() => close(server));
  return server.address().port;
}

export function close(server) {
  server.close();
  server.closeAllConnections();
}

/** A promise, and what settles it. */
export function resolvers() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
