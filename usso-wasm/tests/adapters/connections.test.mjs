import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect as connect2, createServer as createServer2 } from "node:http2";
import { connect } from "node:net";
import test from "node:test";

import { createVerifier } from "usso";
import { usso } from "usso/express";

import { resolvers, serveGuarded } from "./servers.mjs";
import { codeOf, exchange, world } from "./table.mjs";

test("an upgrade is guarded: by header, and by cookie only from an allowed page", async (t) => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const server = createServer();
  const reached = [];
  server.on(
    "upgrade",
    auth.upgrade("read:files")((user, req, socket) => {
      reached.push(user.sub);
      socket.end(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      );
    }),
  );
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address();
  const token = await issuer.mint({ scopes: ["read:files"] });
  const ask = async (...headers) => {
    const lines = [["upgrade", "websocket"], ["connection", "upgrade"], ...headers];
    const { status, body, all } = await exchange(port, "GET", "/socket", lines);
    return [status, codeOf(body), all("www-authenticate").length];
  };
  const cookie = ["cookie", `usso-access-token=${token}`];
  assert.deepEqual(await ask(), [401, "access.token_missing", 2]);
  assert.deepEqual(await ask(["authorization", await issuer.authorization()]), [
    403,
    "access.scope",
    2,
  ]);
  assert.deepEqual(await ask(cookie), [403, "request.cross_site", 0]);
  assert.deepEqual(await ask(cookie, ["origin", "https://evil.example"]), [
    403,
    "request.cross_site",
    0,
  ]);
  assert.deepEqual(reached, []);
  assert.equal((await ask(cookie, ["origin", "https://app.example"]))[0], 101);
  assert.equal((await ask(["authorization", `Bearer ${token}`]))[0], 101);
  assert.deepEqual(reached, ["user:1", "user:1"]);
});

test("a client that leaves before the verdict does no harm", async (t) => {
  const { issuer } = await world();
  const [asked, answered] = [resolvers(), resolvers()];
  const fetch = async (...request) => {
    asked.resolve();
    await answered.promise;
    return issuer.fetch(...request);
  };
  const verifier = createVerifier({ issuer: issuer.issuer, audience: issuer.audience, fetch });
  const port = await serveGuarded(t, [usso(verifier).require()], (req, res) => res.end("here"));
  const headers = { authorization: await issuer.authorization() };
  const stop = new AbortController();
  const left = globalThis.fetch(`http://127.0.0.1:${port}/`, { headers, signal: stop.signal });
  await asked.promise;
  stop.abort();
  await assert.rejects(left);
  answered.resolve();
  const next = await globalThis.fetch(`http://127.0.0.1:${port}/`, { headers });
  assert.equal(await next.text(), "here");
});

test("a client that leaves before the verdict on its upgrade does no harm", async (t) => {
  const { issuer } = await world();
  const [asked, answered] = [resolvers(), resolvers()];
  const fetch = async (...request) => {
    asked.resolve();
    await answered.promise;
    return issuer.fetch(...request);
  };
  const verifier = createVerifier({ issuer: issuer.issuer, audience: issuer.audience, fetch });
  const server = createServer();
  const guarded = usso(verifier).upgrade("read:files")(assert.fail);
  const failed = resolvers();
  let verdict;
  server.on("upgrade", (req, socket, head) => {
    verdict = guarded(req, socket, head);
    socket.once("close", failed.resolve);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const authorization = await issuer.authorization();
  const lines = ["GET / HTTP/1.1", "host: x", "connection: upgrade", "upgrade: websocket"];
  const client = connect(server.address().port, "127.0.0.1");
  client.write([...lines, `authorization: ${authorization}`, "", ""].join("\r\n"));
  await asked.promise;
  client.resetAndDestroy();
  await failed.promise;
  answered.resolve();
  await verdict;
});

test("over HTTP/2 the service's own page is known by the address that was asked for", async (t) => {
  const { issuer, verifier } = await world({ publicUrl: undefined });
  const guard = usso(verifier).require();
  const server = createServer2((req, res) => guard(req, res, () => res.end(req.user.sub)));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const client = connect2(`http://127.0.0.1:${server.address().port}`);
  t.after(() => client.close() ?? server.close());
  const cookie = `usso-access-token=${await issuer.mint()}`;
  const ask = async (headers) => {
    const stream = client.request({ ":method": "POST", ":authority": "api.example", ...headers });
    const [{ ":status": status }] = await new Promise((resolve) => {
      stream.once("response", (...given) => resolve(given));
    });
    stream.resume();
    return status;
  };
  assert.equal(await ask({ cookie, origin: "https://api.example" }), 200);
  assert.equal(await ask({ cookie, origin: "https://evil.example" }), 403);
  assert.equal(await ask({}), 401);
});

test("where a server gives no header lines, the headers are looked at", async (t) => {
  const { issuer, verifier } = await world();
  const strip = (req, res, next) => {
    req.rawHeaders.length = 0;
    next();
  };
  const port = await serveGuarded(t, [strip, usso(verifier).optional()], (req, res) => {
    res.end(req.user?.sub ?? "nobody");
  });
  const good = [["authorization", await issuer.authorization()]];
  assert.equal((await exchange(port, "GET", "/me", good)).body, "user:1");
  const bad = [["authorization", await issuer.authorization({ exp: 1 })]];
  assert.equal((await exchange(port, "GET", "/me", bad)).status, 401);
});

test("who was left on the request by others is not the caller", async (t) => {
  const { verifier } = await world();
  const forge = (req, res, next) => {
    req.user = { sub: "user:admin" };
    next();
  };
  const auth = usso(verifier);
  const port = await serveGuarded(t, [forge, auth.optional()], (req, res) => {
    assert.throws(() => auth.user(req), /nobody is known/);
    res.end(String(req.user?.sub));
  });
  assert.equal((await exchange(port, "GET", "/me", [])).body, "undefined");
});
