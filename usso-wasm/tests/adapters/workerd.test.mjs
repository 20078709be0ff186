import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { world } from "./table.mjs";
import { runWorker } from "./workerd.mjs";

// It answers upgrades by echoing, with the caller first.
const WORKER = `
import { Hono } from "hono";
import { createVerifier } from "usso";
import { usso as forFetch } from "usso/fetch";
import { usso as forHono } from "usso/hono";

function echo(user) {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.addEventListener("message", ({ data }) => server.send(user.sub + ": " + data));
  server.addEventListener("close", () => server.close());
  return new Response(null, { status: 101, webSocket: client });
}

let handlers;
export default {
  fetch(request, env, ctx) {
    handlers ??= start(env);
    const path = new URL(request.url).pathname.slice(1);
    return handlers[path](request, env, ctx);
  },
};

function start({ OPTIONS }) {
  const verifier = createVerifier(OPTIONS);
  const app = new Hono();
  const auth = forHono(verifier);
  app.get("/hono", auth.optional(), auth.require(), (c) => echo(c.get("user")));
  const around = forFetch(verifier);
  const inner = around.require()(echo);
  return {
    hono: app.fetch,
    fetch: around.optional()((_user, request) => inner(request)),
  };
}`;

const resolveDir = fileURLToPath(new URL(".", import.meta.url));

test("in an edge worker a good upgrade passes the guards and a refused one does not", async () => {
  const { issuer } = await world();
  const OPTIONS = { ...issuer.options, cookie: "token", allowOrigins: ["https://app.example"] };
  const entry = { stdin: { contents: WORKER, resolveDir, sourcefile: "worker.mjs" } };
  await runWorker(entry, { bindings: { OPTIONS } }, async (ask) => {
    const cookie = `token=${await issuer.mint()}`;
    for (const path of ["/hono", "/fetch"]) {
      const upgrade = { upgrade: "websocket", cookie };
      assert.equal((await ask(path, { upgrade: "websocket" })).status, 401);
      assert.equal((await ask(path, { ...upgrade, origin: "https://evil.example" })).status, 403);
      const answer = await ask(path, { ...upgrade, origin: "https://app.example" });
      assert.equal(answer.status, 101);
      const socket = answer.webSocket;
      socket.accept();
      const said = new Promise((resolve) => socket.addEventListener("message", resolve));
      socket.send("hello");
      assert.equal((await said).data, "user:1: hello");
      const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
      socket.close();
      await closed;
    }
  });
});
