/** Tokens of the reference server, here and in `jose`, over HTTP. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import * as jose from "jose";
import { createVerifier } from "usso";

import { refused } from "../core/kit.mjs";
import { startServer } from "../login/support/server.mjs";

let server;
let token;
let issuer;

before(async () => {
  server = await startServer();
  const account = { identifier: server.admin, secret: server.password };
  token = (await server.post("/auth/login", account)).access_token;
  issuer = jose.decodeJwt(token).iss;
});

after(() => server?.stop());

test("a token of the server is good here by discovery", async () => {
  const verifier = createVerifier({ issuer, audience: issuer, profile: "usso" });
  const user = await verifier.verify(token);
  assert.deepEqual(user.claims, jose.decodeJwt(token));
  assert.equal(user.hasRole("superadmin"), true);
  assert.deepEqual([user.tokenType, user.amr, user.isService], ["access", ["password"], false]);
  assert.ok(user.sessionId.startsWith("ses_") && user.tenantId.startsWith("org_"));
  assert.equal(user.authTime, jose.decodeJwt(token).auth_time);
});

test("a token of the server is good here with every profile for access tokens it meets", async () => {
  for (const profile of ["usso", "usso_legacy"]) {
    const verifier = createVerifier({
      issuer,
      audience: issuer,
      profile,
      jwksUrl: `${server.base}/.well-known/jwks.json`,
    });
    assert.equal((await verifier.verify(token)).iss, issuer);
  }
});

test("a token of the server is good in jose, with the keys it publishes", async () => {
  const keys = jose.createRemoteJWKSet(new URL(`${server.base}/.well-known/jwks.json`));
  const { payload } = await jose.jwtVerify(token, keys, {
    issuer,
    audience: issuer,
    typ: "at+jwt",
  });
  assert.equal(payload.token_type, "access");
  const published = await (await fetch(`${server.base}/.well-known/jwks.json`)).json();
  await jose.jwtVerify(token, jose.createLocalJWKSet(published), { issuer, audience: issuer });
  const verifier = createVerifier({ issuer, audience: issuer, jwks: published });
  assert.equal(verifier.verifySync(token).iss, issuer);
});

test("a token of the server is not good for another service", async () => {
  const verifier = createVerifier({ issuer, audience: "https://other.example" });
  await refused(verifier.verify(token), "token.audience", 401);
  await refused(
    createVerifier({
      issuer: `${issuer}/`,
      audience: issuer,
      jwksUrl: `${server.base}/.well-known/jwks.json`,
    }).verify(token),
    "token.unknown_issuer",
    401,
  );
});

test("a refresh token of the server is no access token", async () => {
  const account = { identifier: server.admin, secret: server.password };
  const { refresh_token: refresh } = await server.post("/auth/login", account);
  const verifier = createVerifier({ issuer, audience: issuer });
  await assert.rejects(verifier.verify(refresh), { name: "UssoError", status: 401 });
});
