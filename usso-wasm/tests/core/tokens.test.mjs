/** What is passed as a token, and what tokens may say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { createVerifier, decodeUnverified, UserData, UssoError } from "usso";

import { issuer, refused } from "./kit.mjs";

test("what is no text is no token", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, jwksUrl: undefined, jwks: own.jwks });
  const token = await own.mint();
  const odd = [undefined, null, 0, 1, NaN, true, 1n, Symbol("x"), {}, [], [token], () => token];
  odd.push({ toString: () => token }, Buffer.from(token), new String(token), new Uint8Array(3));
  for (const value of odd) {
    await refused(verifier.verify(value), "token.malformed", 401);
    await refused(() => verifier.verifySync(value), "token.malformed", 401);
  }
});

test("text of any kind is refused with a code", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, jwksUrl: undefined, jwks: own.jwks });
  const token = await own.mint();
  const odd = [
    "",
    " ",
    ".",
    "..",
    "...",
    "\0",
    "\ud800",
    "\udfff.\ud800.a",
    `${token}\0`,
    `\0${token}`,
  ];
  odd.push(`${token}\ud800`, `\ufeff${token}`, token.replace(".", "\ud800"), "\u{1f600}".repeat(3));
  odd.push(
    "e".repeat(1 << 24),
    ".".repeat(1 << 20),
    `${token}\n`,
    token.toLowerCase(),
    `Bearer ${token}`,
  );
  odd.push("__proto__", "constructor", "toString", "..".repeat(5000), "\u00e9".repeat(8000));
  for (const text of odd) {
    await assert.rejects(verifier.verify(text), { name: "UssoError", status: 401 });
    assert.throws(() => verifier.verifySync(text), { name: "UssoError", status: 401 });
  }
});

test("a lone surrogate does not stand for another character", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, jwksUrl: undefined, jwks: own.jwks });
  const token = await own.mint();
  await verifier.verify(token);
  await refused(verifier.verify(`${token}\ud800`), "token.malformed");
  await refused(verifier.verify(`${token}\ufffd`), "token.malformed");
});

test("claims named like methods do no harm", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const names = [
    "then",
    "catch",
    "toJSON",
    "toString",
    "valueOf",
    "constructor",
    "hasOwnProperty",
    "length",
  ];
  names.push(
    "prototype",
    "sub ",
    "claims",
    "scopes ",
    "hasScope",
    "hasRole",
    "can",
    "isService",
    "free",
    "0",
  );
  for (const name of names) {
    const user = await verifier.verify(await own.mint({ [name]: "mine" }));
    assert.ok(user instanceof UserData);
    assert.equal(user.claims[name], "mine");
    assert.equal(user.sub, "user:1");
    assert.equal(user.hasScope("read:files"), false);
    assert.equal(user.hasRole("x"), false);
    assert.equal(user.can("read", "files"), false);
    assert.equal(JSON.parse(JSON.stringify(user))[name], "mine");
    assert.equal(user.then, undefined);
    assert.equal(verifier.check(user, { service: false }), user);
  }
});

test("a claim `then` is not called when the caller is awaited", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const user = await verifier.verify(await own.mint({ then: { then: 1 } }));
  assert.equal(await Promise.resolve(user), user);
  assert.deepEqual((await user.claims).then, { then: 1 });
});

test("a claim `__proto__` is a claim, and changes no object", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const now = Math.floor(Date.now() / 1000);
  const text = JSON.stringify({
    iss: own.url,
    sub: "user:1",
    aud: own.options.audience,
    exp: now + 900,
    iat: now,
    token_type: "access",
  });
  for (const value of ['{"sub":"admin","scopes":["*:*"],"polluted":1}', "null", "1", '"x"', "[]"]) {
    const user = await verifier.verify(
      await own.sign(text.replace(/}$/, `,"__proto__":${value}}`)),
    );
    assert.deepEqual([user.sub, user.scopes, {}.polluted], ["user:1", [], undefined]);
    assert.ok(Object.hasOwn(user.claims, "__proto__"));
    assert.equal(Object.getPrototypeOf(user.claims), Object.prototype);
    assert.equal(user.claims.polluted, undefined);
    assert.equal(verifier.check(user, {}), user);
  }
  await refused(
    verifier.verify(await own.sign(text.replace('"sub"', '"__proto__":1,"__proto__"'))),
    "token.duplicate_member",
  );
});

test("what decodes a token says what it is worth, and does not choke", () => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "none" })}.${part({ sub: "anybody", deep: { x: [1] } })}.`;
  const { header, claims } = decodeUnverified(token);
  assert.deepEqual([header, claims], [{ alg: "none" }, { sub: "anybody", deep: { x: [1] } }]);
  assert.ok([header, claims, claims.deep, claims.deep.x].every(Object.isFrozen));
  for (const odd of [
    undefined,
    null,
    7,
    {},
    [],
    "",
    ".",
    "..",
    "a.b",
    "a.b.c",
    "\ud800.x.y",
    "e".repeat(1 << 20),
  ]) {
    assert.throws(
      () => decodeUnverified(odd),
      { name: "UssoError", code: "token.malformed" },
      inspect(odd),
    );
  }
  assert.throws(() => decodeUnverified(Symbol("x")), {
    name: "UssoError",
    code: "token.malformed",
  });
});

test("a refusal holds nothing of the token, wherever one looks", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const secret = "c2VjcmV0c2VjcmV0";
  const tokens = [
    await own.mint({ exp: 1, jti: secret }),
    await own.mint({ aud: secret }),
    await own.mint({ iss: `https://${secret}` }),
    await own.mint({ token_type: secret }),
    await own.mint({ scopes: secret, sub: [secret] }),
    await own.mint({}, { typ: secret }),
    await own.mint({}, { kid: secret }),
    `${secret}.${secret}.${secret}`,
    `usso_sk_${secret}${secret}`,
    secret,
  ];
  for (const token of tokens) {
    const error = await verifier.verify(token).then(assert.fail, (error) => error);
    assert.ok(error instanceof UssoError);
    const all = inspect(error, { depth: 9, showHidden: true });
    const texts = `${error} ${error.stack} ${all} ${JSON.stringify(error)} ${JSON.stringify(error.response)}`;
    for (const part of [secret, ...token.split(".")]) assert.ok(!texts.includes(part), texts);
  }
});

test("a refusal has code, status, challenge and a whole answer", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const error = await refused(verifier.verify(await own.mint({ exp: 1 })), "token.expired", 401);
  assert.ok(error instanceof Error && error.name === "UssoError" && error.message.length > 5);
  assert.match(error.challenge, /^Bearer .*error="invalid_token"/);
  const { status, headers, body } = error.response;
  assert.equal(status, 401);
  assert.equal(new Headers(headers).get("www-authenticate"), error.challenge);
  assert.equal(JSON.parse(body).error_code, "token.expired");
  assert.ok(Object.isFrozen(error.response));
  const needed = { scope: "read:files" };
  const denied = await refused(verifier.verify(await own.mint(), needed), "access.scope", 403);
  assert.match(denied.challenge, /insufficient_scope/);
  assert.equal(denied.response.status, 403);
});
