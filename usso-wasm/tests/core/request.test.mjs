/** Requests, however their headers are given. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier } from "usso";

import { issuer, refused } from "./kit.mjs";

async function made(t, more = {}) {
  const own = await issuer(t);
  return { own, verifier: createVerifier({ ...own.options, ...more }), token: await own.mint() };
}

const head = (headers) => ({ method: "GET", target: "/files", headers });

test("the credential is found however the headers are given", async (t) => {
  const { verifier, token } = await made(t);
  const value = `Bearer ${token}`;
  const ways = [
    ["Host", "x", "AUTHORIZATION", value],
    [["authorization", value]],
    new Headers({ authorization: value }),
    new Map([["Authorization", value]]),
    Object.entries({ authorization: value }),
  ];
  for (const headers of ways)
    assert.equal((await verifier.authenticate(head(headers))).sub, "user:1");
  const request = new Request("https://api.example/files?x=1", {
    headers: { authorization: value },
  });
  assert.equal((await verifier.require(request)).sub, "user:1");
});

test("no credential is nobody, and whoever must be somebody is refused", async (t) => {
  const { verifier } = await made(t);
  assert.equal(await verifier.authenticate(head([])), undefined);
  const error = await refused(verifier.require(head([])), "access.token_missing", 401);
  assert.equal(error.response.status, 401);
  assert.ok(new Headers(error.response.headers).has("www-authenticate"));
});

test("a line feed in a header starts no other header", async (t) => {
  const { verifier, token } = await made(t);
  const hidden = `authorization\nBearer ${token}`;
  const ways = [
    ["x", `y\n${hidden}`],
    ["x", `y\n${hidden}\nz`],
    [`x\ny\nauthorization`, `Bearer ${token}`],
    [`x\n\n${hidden}\nz`, "w"],
    [`\nauthorization`, `Bearer ${token}`],
  ];
  for (const headers of ways) {
    assert.equal(
      await verifier.authenticate(head(headers)),
      undefined,
      JSON.stringify(headers).slice(0, 40),
    );
    assert.equal(await verifier.authenticate(head([headers])), undefined);
  }
});

test("two credentials in one request are refused", async (t) => {
  const { own, verifier, token } = await made(t);
  const other = await own.mint({ sub: "user:2" });
  const twice = ["authorization", `Bearer ${token}`, "authorization", `Bearer ${other}`];
  await assert.rejects(verifier.authenticate(head(twice)), { name: "UssoError", status: 400 });
  const joined = new Headers([
    ["authorization", `Bearer ${token}`],
    ["authorization", `Bearer ${other}`],
  ]);
  await assert.rejects(verifier.authenticate(head(joined)), { name: "UssoError", status: 400 });
});

test("what was let in by a header that caches do not know is answered for this caller only", async (t) => {
  const { verifier } = await made(t, { tokenHeader: "x-token" });
  const answer = (headers, optional) =>
    new Headers(verifier.responseHeaders(head(headers), optional));
  assert.equal(answer(["x-token", "a.b.c"]).get("cache-control"), "private");
  assert.equal(answer(["cookie", "a=b"]).get("cache-control"), "private");
  assert.equal(answer([]).get("cache-control"), null);
  assert.match(answer([], true).get("vary"), /x-token, cookie/);
});

test("a refusal is answered as the request asks, and holds nothing of its token", async (t) => {
  const { own, verifier } = await made(t);
  const expired = await own.mint({ exp: 1 });
  const error = await refused(
    verifier.require(head(["authorization", `Bearer ${expired}`])),
    "token.expired",
    401,
  );
  const { status, headers, body } = error.response;
  assert.equal(status, 401);
  assert.equal(JSON.parse(body).error_code, "token.expired");
  for (const part of expired.split(".")) assert.ok(!JSON.stringify([headers, body]).includes(part));
  const denied = await refused(
    verifier.require(head(["authorization", `Bearer ${await own.mint()}`]), {
      scope: "read:files",
    }),
    "access.scope",
    403,
  );
  assert.match(new Headers(denied.response.headers).get("www-authenticate"), /scope="read:files"/);
});

test("what is needed is asked of `require`, and not lost by `authenticate`", async (t) => {
  const { verifier, token } = await made(t);
  const request = head([["authorization", `Bearer ${token}`]]);
  const waitUntil = () => undefined;
  for (const needed of [{ scope: "read:files" }, { nonce: "n" }, { params: {} }]) {
    await refused(verifier.authenticate(request, needed), "call.invalid", 500);
  }
  assert.equal((await verifier.authenticate(request, { waitUntil })).sub, "user:1");
  const needed = { scope: "read:files", waitUntil };
  await refused(verifier.require(request, needed), "access.scope", 403);
});

test("what failed is the cause of the refusal", async () => {
  const { refusalOf } = await import(new URL("guard.js", import.meta.resolve("usso/package.json")));
  const broken = new Error("of the app");
  const { code, cause } = refusalOf(broken);
  assert.deepEqual([code, cause], ["access.unavailable", broken]);
});

test("headers that cannot be gone through are no headers", async (t) => {
  const { verifier } = await made(t);
  for (const headers of [{ authorization: "Bearer x" }, undefined, null, 5]) {
    await refused(verifier.authenticate(head(headers)), "call.invalid", 500);
  }
});
