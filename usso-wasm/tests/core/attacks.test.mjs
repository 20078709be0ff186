/** What an attack run tried, and what mistakes of apps must not do: let somebody in. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";

import { createVerifier, UserData } from "usso";
import { usso } from "usso/express";
import { usso as next } from "usso/next";
import { createTestIssuer } from "usso/testing";

import { refused } from "./kit.mjs";

async function known(more = {}) {
  const issuer = await createTestIssuer({ algorithm: "ES256" });
  const verifier = createVerifier({ ...issuer.options, ...more });
  return { issuer, verifier, token: await issuer.mint({ roles: ["member"] }) };
}

test("a nonce that was lost is not as if none was wanted", async () => {
  const { verifier, token } = await known();
  for (const nonce of [undefined, null, "", 1, true, {}, { length: -1 }]) {
    await refused(verifier.verify(token, { nonce }), "call.invalid", 500);
    await refused(() => verifier.verifySync(token, { nonce }), "call.invalid", 500);
  }
  const request = new Request("https://api.example/", { headers: { authorization: `Bearer ${token}` } });
  await refused(verifier.require(request, { nonce: "mine" }), "call.invalid", 500);
});

test("what is needed and of another kind lets nobody in", async () => {
  const { verifier, token } = await known();
  const odd = [() => "x", Symbol("x"), {}, { toJSON: () => undefined }, new Set(["a"]), [], [1], [[]], NaN, ""];
  odd.push(undefined, null, Promise.resolve("admin"));
  for (const value of odd) {
    for (const name of ["scope", "role", "tenant", "workspace", "service", "maxAge", "acr"]) {
      await refused(verifier.verify(token, { [name]: value }), "call.invalid", 500);
      assert.throws(() => usso(verifier).require({ [name]: value }), { code: "config.invalid" }, name);
    }
  }
  const user = await verifier.verify(token);
  const inherited = Object.create({ role: "admin" });
  const hidden = Object.defineProperty({}, "role", { value: "admin" });
  for (const needed of [inherited, hidden, new Map([["role", "admin"]]), new Set(["admin:all"]), 5, true, () => 1]) {
    await refused(verifier.verify(token, needed), "call.invalid", 500);
    await refused(() => verifier.check(user, needed), "call.invalid", 500);
    assert.throws(() => usso(verifier).require(needed), { code: "config.invalid" });
  }
  for (const name of ["nonce", "params", "waitUntil"]) {
    assert.throws(() => usso(verifier).require({ role: "admin", [name]: {} }), { code: "config.invalid" });
  }
  assert.throws(() => usso(verifier).require("read:a", "read:b"), { code: "config.invalid" });
});

test("only what the verifier made is a caller", async () => {
  const { verifier, token } = await known();
  const user = await verifier.verify(token);
  assert.equal(verifier.check(user), user);
  for (const nobody of [undefined, null]) await refused(() => verifier.check(nobody), "access.token_missing", 401);
  const odd = [false, 0, "", "user:1", {}, { sub: "user:1" }, Object.create(UserData.prototype), Object.create(user)];
  for (const like of odd) {
    await refused(() => verifier.check(like), "call.invalid", 500);
    await refused(() => verifier.check(like, { role: "member" }), "call.invalid", 500);
  }
});

test("what is no text does not reach the WebAssembly", async () => {
  const { verifier, token } = await known();
  for (const odd of [undefined, null, 5, true, {}, [], { length: -1 }]) {
    assert.equal(verifier.exportKeys(odd), undefined);
    await refused(() => verifier.importKeys(odd, new Uint8Array(3)), "snapshot.invalid", 500);
    await refused(verifier.authenticate({ method: odd, target: "/", headers: [] }), "call.invalid", 500);
    await refused(verifier.authenticate({ method: "GET", target: odd, headers: [] }), "call.invalid", 500);
  }
  await refused(verifier.require(), "call.invalid", 500);
  assert.equal((await verifier.verify(token)).sub, "user:1");
});

test("a server whose `waitUntil` fails changes no verdict", async () => {
  const { issuer, token } = await known();
  const { issuer: name, audience } = issuer;
  const verifier = createVerifier({ issuer: name, audience, fetch: issuer.fetch });
  const waitUntil = () => {
    throw new Error("the client has left");
  };
  assert.equal((await verifier.verify(token, { waitUntil })).sub, "user:1");
});

test("a clock that fails while keys are fetched ends nothing", async (t) => {
  const { issuer, token } = await known();
  const unhandled = [];
  const note = (error) => unhandled.push(error);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  let times = 0;
  const now = () => {
    if (++times > 2) throw new Error("no clock");
    return Date.now();
  };
  const { issuer: name, audience } = issuer;
  const done = Promise.withResolvers?.() ?? deferred();
  const fetch = async (...request) => {
    setImmediate(() => setImmediate(done.resolve));
    return issuer.fetch(...request);
  };
  const verifier = createVerifier({ issuer: name, audience, fetch, now });
  await refused(() => verifier.verifySync(token), "access.unavailable", 503);
  await done.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});

test("why keys cannot be had is told to the app, and not to the client", async () => {
  const { issuer, token } = await known();
  const { issuer: name, audience } = issuer;
  const answers = [
    [async () => new Response("gone", { status: 404 }), /answered 404/],
    [async () => new Response("<html>"), /no usable keys of the token's issuer/],
    [async () => Promise.reject(new TypeError("ECONNREFUSED")), /cannot be asked/],
  ];
  for (const [fetch, why] of answers) {
    const verifier = createVerifier({ issuer: name, audience, jwksUrl: `${name}/keys`, fetch });
    const error = await verifier.verify(token).then(assert.fail, (error) => error);
    assert.equal(error.code, "token.keys_unavailable");
    assert.match(error.cause.message, why);
    assert.doesNotMatch(error.response.body, why);
  }
});

test("a page takes no proof of DPoP, of which it does not know method and address", async () => {
  const { verifier, token } = await known({ publicUrl: "https://api.example" });
  const headers = new Headers({ authorization: `DPoP ${token}`, dpop: "a.b.c" });
  const error = await next(verifier).currentUser(headers).then(assert.fail, (error) => error);
  assert.equal(error.code, "dpop.missing");
});

test("a refused upgrade keeps no connection, whatever the client goes on to send", { timeout: 30_000 }, async (t) => {
  const { verifier } = await known();
  const guard = usso(verifier).upgrade();
  const server = createServer();
  server.on("upgrade", (request, socket) => guard(() => assert.fail("let in"))(request, socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const head = "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
  const client = connect({ port: server.address().port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => undefined);
  client.write(`${head}and more than that`);
  client.resume();
  const connections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  await once(client, "end");
  while ((await connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
  client.destroy();
});

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve) => Object.assign(parts, { resolve }));
  return parts;
}
