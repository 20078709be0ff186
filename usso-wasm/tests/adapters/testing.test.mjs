import assert from "node:assert/strict";
import test from "node:test";

import { createLocalJWKSet, jwtVerify } from "jose";
import { createVerifier, decodeUnverified } from "usso";
import { createTestIssuer } from "usso/testing";

for (const algorithm of ["EdDSA", "ES256", "ES384", "RS256", "PS256"]) {
  test(`tokens of ${algorithm} are good here and for jose`, async () => {
    const issuer = await createTestIssuer({ algorithm });
    const token = await issuer.mint({ scopes: ["read:files"] });
    const user = await createVerifier(issuer.options).verify(token, { scope: "read:files" });
    assert.equal(user.sub, "user:1");
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(issuer.jwks));
    assert.equal(protectedHeader.alg, algorithm);
  });
}

test("claims and members of the header can be set and left out", async () => {
  const issuer = await createTestIssuer({ issuer: "https://id.example", audience: "files" });
  const token = await issuer.mint(
    { sub: "user:7", jti: undefined, aud: null },
    { typ: null, x: 1 },
  );
  const { header, claims } = decodeUnverified(token);
  assert.deepEqual([header.typ, header.x, typeof header.kid], [undefined, 1, "string"]);
  assert.deepEqual([claims.iss, claims.sub], ["https://id.example", "user:7"]);
  assert.deepEqual(["jti" in claims, "aud" in claims], [false, false]);
  assert.equal(claims.exp - claims.iat, 900);
  await assert.rejects(createVerifier(issuer.options).verify(token));
});

test("after a rotation both keys are good, for those who have the new one", async () => {
  const issuer = await createTestIssuer();
  const before = createVerifier(issuer.options);
  const old = await issuer.mint();
  const kid = await issuer.rotate();
  const fresh = await issuer.mint();
  assert.equal(decodeUnverified(fresh).header.kid, kid);
  await assert.rejects(before.verify(fresh), { code: "token.unknown_key" });
  const after = createVerifier(issuer.options);
  for (const token of [old, fresh]) assert.equal((await after.verify(token)).sub, "user:1");
});

test("the issuer serves its keys without a network", async () => {
  const issuer = await createTestIssuer();
  const { issuer: name, audience, fetch } = issuer;
  const verifier = createVerifier({ issuer: name, audience, fetch });
  assert.equal((await verifier.verify(await issuer.mint())).sub, "user:1");
  assert.equal((await fetch("https://sso.example/other")).status, 404);
});

test("no two issuers and no two tokens are the same", async () => {
  const [one, other] = [await createTestIssuer(), await createTestIssuer()];
  assert.notEqual(await one.mint(), await one.mint());
  await assert.rejects(createVerifier(one.options).verify(await other.mint()));
  assert.match(await one.authorization(), /^Bearer \S+$/);
});

test("private keys are not to be had", async () => {
  const { jwks } = await createTestIssuer({ algorithm: "RS256" });
  assert.deepEqual(Object.keys(jwks.keys[0]).sort(), ["alg", "e", "kid", "kty", "n", "use"]);
});
