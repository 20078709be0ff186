/** An issuer on loopback by `jose`: nothing here shares code with the package. */

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { CompactSign, exportJWK, generateKeyPair } from "jose";
import { UssoError } from "usso";

export const AUDIENCE = "https://api.example";
export const JWKS = "/.well-known/jwks.json";

/** Starts an issuer, which ends with the test. */
export async function issuer(t, { algorithm = "EdDSA" } = {}) {
  const own = new Issuer(algorithm);
  await own.rotate();
  own.server = createServer((request, response) => own.serve(request, response));
  await new Promise((resolve) => own.server.listen(0, "127.0.0.1", resolve));
  own.url = `http://127.0.0.1:${own.server.address().port}`;
  t.after(() => {
    own.server.closeAllConnections();
    own.server.close();
  });
  return own;
}

class Issuer {
  /** The requests so far: method and path. */
  seen = [];
  /** Answers a request in place of the issuer. */
  answer = undefined;
  keys = [];
  #signers = new Map();

  constructor(algorithm) {
    this.algorithm = algorithm;
  }

  /** Settings for a verifier of this issuer's tokens. */
  get options() {
    return { issuer: this.url, audience: AUDIENCE, jwksUrl: this.url + JWKS, profile: "usso" };
  }

  get jwks() {
    return { keys: this.keys };
  }

  get fetches() {
    return this.seen.filter((line) => line === `GET ${JWKS}`).length;
  }

  /** Makes a new key, which signs from now on; gives its name. */
  async rotate() {
    const { publicKey, privateKey } = await generateKeyPair(this.algorithm, { extractable: true });
    const kid = `k${this.#signers.size + 1}`;
    this.#signers.set(kid, privateKey);
    this.keys = [
      ...this.keys,
      { ...(await exportJWK(publicKey)), alg: this.algorithm, use: "sig", kid },
    ];
    this.kid = kid;
    return kid;
  }

  revoke(kid) {
    this.keys = this.keys.filter((key) => key.kid !== kid);
  }

  /** Signs a token; what is given as `undefined` is left out. `kid` says which key signs. */
  async mint(claims = {}, header = {}, kid = this.kid) {
    return this.sign(JSON.stringify({ ...good(this.url), ...claims }), header, kid);
  }

  /** Signs any claims, given as text. */
  async sign(text, header = {}, kid = this.kid) {
    const full = { alg: this.algorithm, kid, typ: "at+jwt", ...header };
    return new CompactSign(new TextEncoder().encode(text))
      .setProtectedHeader(JSON.parse(JSON.stringify(full)))
      .sign(this.#signers.get(kid));
  }

  serve(request, response) {
    this.seen.push(`${request.method} ${request.url}`);
    if (this.answer !== undefined) return this.answer(request, response);
    response.setHeader("content-type", "application/json");
    if (request.url === JWKS) return response.end(JSON.stringify(this.jwks));
    if (request.url === "/.well-known/openid-configuration") {
      return response.end(JSON.stringify({ issuer: this.url, jwks_uri: this.url + JWKS }));
    }
    return response.writeHead(404).end();
  }
}

let number = 0;

function good(iss) {
  const now = Math.floor(Date.now() / 1000);
  number += 1;
  return {
    iss,
    sub: "user:1",
    aud: AUDIENCE,
    iat: now,
    exp: now + 900,
    jti: `t${number}`,
    token_type: "access",
  };
}

/** A clock that a test moves. */
export class Clock {
  milliseconds = Date.now();

  get now() {
    return () => this.milliseconds;
  }

  advance(seconds) {
    this.milliseconds += seconds * 1000;
  }
}

/** Requires that something is refused; gives the error. */
export async function refused(work, code, status) {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    assert.ok(error instanceof UssoError, `${error?.stack}`);
    assert.equal(error.code, code);
    if (status !== undefined) assert.equal(error.status, status);
    assert.equal(error.response.status, error.status);
    return error;
  }
  return assert.fail(`it was let in; expected ${code}`);
}
