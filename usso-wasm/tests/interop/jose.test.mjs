/** Tokens and keys from `jose` here, and what is good here is good there. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as jose from "jose";
import { createVerifier } from "usso";

import { AUDIENCE, issuer, refused } from "../core/kit.mjs";

const ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256", "PS256"];
const ISSUER = "https://sso.example";

function signed(privateKey, alg, kid = "k1") {
  return new jose.SignJWT({ scopes: ["read:files"], token_type: "access", client_id: "c1" })
    .setProtectedHeader({ alg, kid, typ: "at+jwt" })
    .setIssuer(ISSUER)
    .setSubject("user:1")
    .setAudience(AUDIENCE)
    .setJti("t1")
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(privateKey);
}

for (const alg of ALGORITHMS) {
  test(`a token that jose signed with ${alg} is good here, and its keys as jose exports them`, async () => {
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await jose.exportJWK(publicKey)), alg, kid: "k1", use: "sig" };
    const token = await signed(privateKey, alg);
    for (const profile of ["usso", "usso_legacy", "rfc9068"]) {
      const options = { issuer: ISSUER, audience: AUDIENCE, profile };
      const verifier = createVerifier({ ...options, jwks: { keys: [jwk] } });
      const user = await verifier.verify(token);
      assert.deepEqual(user.claims, jose.decodeJwt(token));
      assert.equal(createVerifier({ ...options, jwk }).verifySync(token).sub, "user:1");
    }
    const theirs = await jose.jwtVerify(token, jose.createLocalJWKSet({ keys: [jwk] }), {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: "at+jwt",
      algorithms: [alg],
    });
    assert.equal(theirs.payload.sub, "user:1");
  });

  test(`a token that somebody else signed with ${alg} is good neither here nor there`, async () => {
    const [own, other] = [
      await jose.generateKeyPair(alg, { extractable: true }),
      await jose.generateKeyPair(alg),
    ];
    const jwk = { ...(await jose.exportJWK(own.publicKey)), alg, kid: "k1" };
    const token = await signed(other.privateKey, alg);
    const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } });
    await refused(verifier.verify(token), "token.signature", 401);
    await assert.rejects(jose.jwtVerify(token, jose.createLocalJWKSet({ keys: [jwk] })), {
      code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    });
  });
}

test("keys over HTTP are read the same here and there, all algorithms in one set", async (t) => {
  const own = await issuer(t);
  const pairs = await Promise.all(
    ALGORITHMS.map((alg) => jose.generateKeyPair(alg, { extractable: true })),
  );
  own.keys = await Promise.all(
    pairs.map(async ({ publicKey }, at) => ({
      ...(await jose.exportJWK(publicKey)),
      alg: ALGORITHMS[at],
      kid: `k${at}`,
    })),
  );
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUrl: own.options.jwksUrl,
  });
  const theirs = jose.createRemoteJWKSet(new URL(own.options.jwksUrl));
  for (const [at, { privateKey }] of pairs.entries()) {
    const token = await signed(privateKey, ALGORITHMS[at], `k${at}`);
    assert.equal((await verifier.verify(token)).sub, "user:1");
    assert.equal((await jose.jwtVerify(token, theirs)).payload.sub, "user:1");
    const confused = await signed(privateKey, ALGORITHMS[at], `k${(at + 1) % 5}`);
    await assert.rejects(verifier.verify(confused), { name: "UssoError", status: 401 });
    await assert.rejects(jose.jwtVerify(confused, theirs));
  }
});

test("a secret that is the public key signs nothing", async () => {
  const { publicKey } = await jose.generateKeyPair("RS256", { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), alg: "RS256", kid: "k1" };
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } });
  const pem = await jose.exportSPKI(publicKey);
  for (const secret of [pem, pem.trim(), JSON.stringify(jwk), jwk.n]) {
    for (const alg of ["HS256", "HS384", "HS512"]) {
      const token = await signed(new TextEncoder().encode(secret), alg);
      await refused(verifier.verify(token), "token.algorithm", 401);
    }
  }
  const unsigned = new jose.UnsecuredJWT({})
    .setIssuer(ISSUER)
    .setSubject("user:1")
    .setAudience(AUDIENCE);
  await refused(
    verifier.verify(unsigned.setExpirationTime("10m").encode()),
    "token.algorithm",
    401,
  );
});

test("an encrypted token is refused", async () => {
  const { publicKey } = await jose.generateKeyPair("EdDSA", { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), alg: "EdDSA", kid: "k1" };
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } });
  const { publicKey: theirs } = await jose.generateKeyPair("ECDH-ES");
  const token = await new jose.EncryptJWT({ sub: "user:1" })
    .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM" })
    .encrypt(theirs);
  await assert.rejects(verifier.verify(token), { name: "UssoError", status: 401 });
});

for (const alg of ["EdDSA", "ES256", "RS256", "PS256"]) {
  test(`a proof of DPoP that jose signed with ${alg} is good once, and its key must be the token's`, async (t) => {
    const own = await issuer(t);
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = await jose.exportJWK(publicKey);
    const token = await own.mint({ cnf: { jkt: await jose.calculateJwkThumbprint(jwk) } });
    const verifier = createVerifier({ ...own.options, publicUrl: "https://api.example" });
    const proof = await dpop(privateKey, { alg, jwk, typ: "dpop+jwt" }, token);
    assert.equal((await verifier.authenticate(request(token, proof))).sub, "user:1");
    await assert.rejects(verifier.authenticate(request(token, proof)), {
      name: "UssoError",
      status: 401,
    });
    const other = await jose.generateKeyPair(alg, { extractable: true });
    const thief = { alg, jwk: await jose.exportJWK(other.publicKey), typ: "dpop+jwt" };
    for (const forged of [
      await dpop(other.privateKey, thief, token),
      await dpop(other.privateKey, { ...thief, jwk }, token),
    ]) {
      await assert.rejects(verifier.authenticate(request(token, forged)), {
        name: "UssoError",
        status: 401,
      });
    }
  });
}

test("a proof with a key off its curve is refused, not an error of the service", async (t) => {
  const own = await issuer(t);
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
  const jwk = await jose.exportJWK(publicKey);
  const off = { ...jwk, x: jwk.y, y: jwk.x };
  const verifier = createVerifier({ ...own.options, publicUrl: "https://api.example" });
  const token = await own.mint({ cnf: { jkt: await jose.calculateJwkThumbprint(off) } });
  const proof = await dpop(privateKey, { alg: "ES256", jwk: off, typ: "dpop+jwt" }, token);
  await assert.rejects(verifier.authenticate(request(token, proof)), {
    name: "UssoError",
    status: 401,
  });
});

function request(token, proof) {
  const headers = [
    ["authorization", `DPoP ${token}`],
    ["dpop", proof],
  ];
  return { method: "GET", target: "/files", headers };
}

let number = 0;

async function dpop(privateKey, header, token) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  number += 1;
  const claims = {
    htm: "GET",
    htu: "https://api.example/files",
    jti: `p${number}`,
    ath: jose.base64url.encode(new Uint8Array(hash)),
  };
  return new jose.SignJWT(claims).setProtectedHeader(header).setIssuedAt().sign(privateKey);
}
