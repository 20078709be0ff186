/** Tokens that are remembered, and keys that are kept for later. */

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { createVerifier } from "usso";

import { Clock, issuer, refused } from "./kit.mjs";

test("the same token gives the same object, on every way", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const token = await own.mint();
  const user = await verifier.verify(token);
  assert.equal(await verifier.verify(token), user);
  assert.equal(verifier.verifySync(token), user);
  assert.equal(await verifier.verify(token, {}), user);
  const request = new Request("http://api.example/", {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(await verifier.authenticate(request), user);
  assert.equal(await verifier.require(request), user);
  assert.equal(verifier.cachedTokens, 1);
});

test("a caller is frozen, with all that is in it", async (t) => {
  const own = await issuer(t);
  const deep = { x: [{ y: { z: [1] } }], scopes: ["read:files"], roles: ["a"] };
  const user = await createVerifier(own.options).verify(await own.mint(deep));
  const all = [user, user.claims, user.scopes, user.roles, user.aud, user.amr, user.claims.x];
  all.push(user.claims.x[0], user.claims.x[0].y, user.claims.x[0].y.z, user.claims.scopes);
  assert.ok(all.every(Object.isFrozen));
  assert.throws(() => user.scopes.push("*:*"), TypeError);
  assert.throws(() => (user.claims.sub = "admin"), TypeError);
  assert.throws(() => (user.sub = "admin"), TypeError);
  assert.throws(() => (user.x = 1), TypeError);
  assert.throws(() => Object.defineProperty(user, "sub", { value: "admin" }), TypeError);
  assert.throws(() => Object.setPrototypeOf(user, {}), TypeError);
});

test("a remembered token ends when it ends", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now, leeway: 0 });
  const token = await own.mint({ exp: Math.floor(clock.milliseconds / 1000) + 60 });
  await verifier.verify(token);
  clock.advance(58);
  assert.equal(verifier.verifySync(token).sub, "user:1");
  clock.advance(3);
  await refused(verifier.verify(token), "token.expired", 401);
  await refused(() => verifier.verifySync(token), "token.expired", 401);
});

test("a remembered token is not good before its time, when the clock is set back", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now, leeway: 0 });
  const token = await own.mint({ nbf: Math.floor(clock.milliseconds / 1000) });
  await verifier.verify(token);
  clock.advance(-3600);
  await assert.rejects(verifier.verify(token), { name: "UssoError", status: 401 });
});

test("a clock that tells nonsense lets nobody in", async (t) => {
  const own = await issuer(t);
  for (const now of [NaN, Infinity, -Infinity, -1, 1e300, undefined, "x", {}]) {
    const verifier = createVerifier({
      ...own.options,
      jwksUrl: undefined,
      jwks: own.jwks,
      now: () => now,
    });
    const token = await own.mint({ nbf: 1_700_000_000 });
    await assert.rejects(verifier.verify(token), { name: "UssoError" }, `${now}`);
  }
});

test("the clock is the option `now`, in milliseconds", async (t) => {
  const own = await issuer(t);
  const now = () => 1_000_000_000_999;
  const verifier = createVerifier({ ...own.options, leeway: 0, now });
  const at = (iat, exp) => own.mint({ iat, exp });
  assert.equal((await verifier.verify(await at(1_000_000_000, 1_000_000_001))).exp, 1_000_000_001);
  await refused(verifier.verify(await at(999_999_000, 1_000_000_000)), "token.expired");
  await refused(verifier.verify(await own.mint()), "token.issued_in_future");
});

test("refused tokens are not remembered as good, and good ones are forgotten when asked to", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  await verifier.verify(await own.mint());
  await refused(verifier.verify(await own.mint({ aud: "other" })), "token.audience");
  assert.equal(verifier.cachedTokens, 1);
  verifier.clearCache();
  assert.equal(verifier.cachedTokens, 0);
});

test("the objects of callers go with what is remembered of them", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  // What was looked at by a `WeakRef` stays until the next turn.
  const isHeld = async (user) => {
    await new Promise(setImmediate);
    collect();
    return user.deref() !== undefined;
  };
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const user = new WeakRef(await verifier.verify(await own.mint()));
  assert.equal(await isHeld(user), true);
  verifier.clearCache();
  assert.equal(await isHeld(user), false);
});

test("a token with another end than the one remembered is another token", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const token = await own.mint();
  await verifier.verify(token);
  const at = token.length - 20;
  const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
  for (const other of [changed, `${token}A`, token.slice(0, -1), ` ${token}`, `${token}\0`]) {
    await assert.rejects(verifier.verify(other), { name: "UssoError", status: 401 });
    assert.throws(() => verifier.verifySync(other), { name: "UssoError", status: 401 });
  }
});

test("no cache remembers nothing", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, tokenCache: { entries: 0 } });
  const token = await own.mint();
  assert.notEqual(await verifier.verify(token), await verifier.verify(token));
  assert.equal(verifier.cachedTokens, 0);
});

test("ever more tokens take bounded memory", async (t) => {
  const own = await issuer(t);
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1" };
  const entries = 500;
  const verifier = createVerifier({
    ...own.options,
    jwksUrl: undefined,
    jwk,
    tokenCache: { entries },
  });
  const good = JSON.parse(
    Buffer.from((await own.mint({ x: "x".repeat(3000) })).split(".")[1], "base64url"),
  );
  const header = Buffer.from('{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}').toString("base64url");
  const next = (jti) => {
    const message = `${header}.${Buffer.from(JSON.stringify({ ...good, jti })).toString("base64url")}`;
    return `${message}.${sign(null, Buffer.from(message), privateKey).toString("base64url")}`;
  };
  const count = Number(process.env.USSO_TOKENS || 15_000);
  for (let at = 0; at < 2000; at += 1) verifier.verifySync(next(`a${at}`));
  const before = process.memoryUsage().rss;
  for (let at = 0; at < count; at += 1) verifier.verifySync(next(`b${at}`));
  // Those in front of the cache, which is for threads elsewhere, come on top.
  assert.ok(verifier.cachedTokens <= entries + 64, `${verifier.cachedTokens}`);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 100, `${grown} MiB`);
});

test("the cache is bounded in bytes too", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, tokenCache: { bytes: 100_000 } });
  for (let at = 0; at < 200; at += 1)
    await verifier.verify(await own.mint({ x: "x".repeat(3000) }));
  assert.ok(verifier.cachedTokens > 0 && verifier.cachedTokens < 40, `${verifier.cachedTokens}`);
});

test("keys that were written are good elsewhere, without a request", async (t) => {
  const own = await issuer(t);
  const first = createVerifier(own.options);
  assert.equal(first.exportKeys(own.url), undefined);
  const token = await own.mint();
  await first.verify(token);
  const snapshot = first.exportKeys(own.url);
  assert.ok(snapshot instanceof Uint8Array);
  const second = createVerifier(own.options);
  second.importKeys(own.url, snapshot);
  assert.equal(second.verifySync(token).sub, "user:1");
  assert.equal(own.fetches, 1);
});

test("what is cut off, changed or another issuer's is not taken in", async (t) => {
  const own = await issuer(t);
  const other = await issuer(t);
  const [mine, theirs] = [createVerifier(own.options), createVerifier(other.options)];
  await mine.verify(await own.mint());
  await theirs.verify(await other.mint());
  const good = mine.exportKeys(own.url);
  const wrong = [
    theirs.exportKeys(other.url),
    new Uint8Array(),
    new Uint8Array(10_000),
    Buffer.from("{}"),
  ];
  wrong.push(Buffer.from("null"), Buffer.from([0xff, 0xfe]), Buffer.concat([good, good]));
  for (let length = 0; length < good.length; length += 7) wrong.push(good.subarray(0, length));
  const fresh = createVerifier(own.options);
  for (const snapshot of wrong) {
    await refused(() => fresh.importKeys(own.url, snapshot), "snapshot.invalid", 500);
  }
  await refused(() => fresh.importKeys("https://stranger.example", good), "snapshot.invalid", 500);
  assert.equal(fresh.exportKeys(own.url), undefined);
  const token = await own.mint();
  await refused(() => fresh.verifySync(token), "access.unavailable", 503);
});

test("what is no bytes is no snapshot", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  for (const snapshot of [undefined, null, "text", 7, {}, [], [1, 2], new ArrayBuffer(4), NaN]) {
    await refused(() => verifier.importKeys(own.url, snapshot), "snapshot.invalid", 500);
  }
});

test("a snapshot that is too old is not trusted without asking", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const first = createVerifier({ ...own.options, now: clock.now });
  await first.verify(await own.mint());
  const snapshot = first.exportKeys(own.url);
  own.revoke(own.kid);
  await own.rotate();
  clock.advance(90_000);
  const second = createVerifier({ ...own.options, now: clock.now });
  try {
    second.importKeys(own.url, snapshot);
  } catch (error) {
    assert.equal(error.code, "snapshot.invalid");
  }
  const later = Math.floor(clock.milliseconds / 1000) + 900;
  await refused(second.verify(await own.mint({ exp: later }, {}, "k1")), "token.unknown_key");
});
