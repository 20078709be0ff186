/** Settings: each is heeded, and what is none is refused by its name. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier, UssoError } from "usso";

import { AUDIENCE, Clock, issuer, refused } from "./kit.mjs";

/** Settings with the keys at hand. */
async function made(t, more = {}) {
  const own = await issuer(t);
  const options = { issuer: own.url, audience: AUDIENCE, jwks: own.jwks, profile: "usso" };
  return { own, options, verifier: createVerifier({ ...options, ...more }) };
}

function wrong(options) {
  try {
    createVerifier(options);
  } catch (error) {
    assert.ok(error instanceof UssoError, `${error?.stack}`);
    assert.equal(error.code, "config.invalid");
    assert.equal(error.status, 500);
    return error.message;
  }
  return assert.fail("it was taken");
}

test("a setting that is none is refused by its name, wherever it is", async (t) => {
  const { options } = await made(t);
  const issuers = [options];
  assert.match(wrong({ ...options, jwksUri: "https://x" }), /`jwksUri`/);
  assert.match(wrong({ ...options, audiences: "x" }), /`audiences`/);
  assert.match(wrong({ ...options, jwks_url: "https://x" }), /`jwks_url`/);
  assert.match(wrong({ issuers: [{ ...options, maxAgeSeconds: 1 }] }), /`maxAgeSeconds`/);
  assert.match(wrong({ issuers, audience: "x" }), /`audience`/);
  assert.match(wrong({ issuers, leewaySeconds: 3 }), /`leewaySeconds`/);
  assert.match(wrong({ ...options, tokenCache: { size: 3 } }), /`size`/);
  assert.match(wrong({ ...options, tokenCache: { max_seconds: 3 } }), /`max_seconds`/);
  assert.match(wrong({ ...options, apiKeys: { lookUp: () => null } }), /`apiKeys`/);
  assert.match(wrong({ ...options, guard: {} }), /`guard`/);
  assert.match(wrong({ ...options, allowLoopbackHttp: false }), /`allowLoopbackHttp`/);
});

test("contradictions and what is missing are refused", async (t) => {
  const { own, options } = await made(t);
  const { audience, ...unheard } = options;
  assert.match(wrong(unheard), /audience/);
  assert.match(wrong({ ...unheard, audience: undefined }), /audience/);
  assert.match(wrong({ ...unheard, audience: [] }), /audience/);
  assert.match(wrong({ ...options, anyAudience: true }), /anyAudience/);
  assert.match(wrong({ ...options, jwksUrl: "https://x.example/" }), /`jwksUrl`/);
  assert.match(wrong({ ...options, jwk: own.keys[0] }), /`jwk`/);
  assert.match(wrong({ ...options, issuer: "" }), /iss/);
  assert.match(wrong({ ...options, leeway: 121 }), /leeway/);
  assert.match(wrong({ ...options, leeway: -1 }), /leeway/);
  assert.match(wrong({ ...options, leeway: 1.5 }), /leeway/);
  assert.match(wrong({ ...options, leeway: NaN }), /leeway/);
  assert.match(wrong({ ...options, leeway: "30" }), /leeway/);
  assert.match(wrong({ ...options, leeway: null }), /leeway/);
  assert.match(wrong({ ...options, maxAge: NaN }), /maxAge/);
  assert.match(wrong({ ...options, maxLifetime: Infinity }), /maxLifetime/);
  assert.match(wrong({ ...options, tenant: null }), /tenant/);
  assert.match(wrong({ ...options, tokenCache: { entries: NaN } }), /entries/);
  assert.match(wrong({ ...options, maxTokenBytes: "1" }), /maxTokenBytes/);
  assert.match(wrong({ ...options, algorithms: ["HS256"] }), /HS256/);
  assert.match(wrong({ ...options, algorithms: "EdDSA" }), /algorithms/);
  assert.match(wrong({ issuers: [] }), /issuer/);
  assert.match(wrong({ issuers: {} }), /`issuers`/);
  assert.match(wrong({ issuers: [7] }), /issuer/);
  for (const odd of [undefined, null, 7, "x", () => 1, [], Symbol("x")]) wrong(odd);
});

test("keys come over https, or from this machine", async (t) => {
  const { options } = await made(t);
  const { jwks, ...rest } = options;
  assert.match(wrong({ ...rest, jwksUrl: "http://keys.example/jwks" }), /https/);
  assert.match(wrong({ ...rest, jwksUrl: "ftp://keys.example/jwks" }), /https/);
  assert.match(wrong({ ...rest, jwksUrl: "http://127.0.0.1.keys.example/" }), /https/);
  createVerifier({ ...rest, jwksUrl: "http://localhost:1/jwks" });
  createVerifier({ ...rest, jwksUrl: "http://[::1]:1/jwks" });
  createVerifier({ ...rest, jwksUrl: "http://keys.example/jwks", dangerAllowHttp: true });
});

test("a setting that is undefined is as one that is left out", async (t) => {
  const nothing = {
    leeway: undefined,
    tokenCache: undefined,
    realm: undefined,
  };
  nothing.fetch = nothing.now = nothing.jwksUrl = undefined;
  const { own, options, verifier } = await made(t, nothing);
  assert.equal((await verifier.verify(await own.mint())).sub, "user:1");
  // One of the profile that is the default, and of no other.
  const old = await own.mint({}, { typ: undefined });
  const byDefault = createVerifier({ ...options, profile: undefined });
  assert.equal((await byDefault.verify(old)).sub, "user:1");
  await refused(createVerifier({ ...options, profile: "usso" }).verify(old), "token.typ");
});

test("what is changed after the verifier was made changes nothing", async (t) => {
  const own = await issuer(t);
  const options = {
    ...own.options,
    jwksUrl: undefined,
    jwks: { keys: [...own.keys] },
    audience: [AUDIENCE],
  };
  const verifier = createVerifier(options);
  options.audience.push("other");
  options.jwks.keys.length = 0;
  options.leeway = 120;
  assert.equal((await verifier.verify(await own.mint())).sub, "user:1");
  await refused(verifier.verify(await own.mint({ aud: "other" })), "token.audience");
});

test("what would be lost of the options is refused, and never lets more in", async (t) => {
  const { options } = await made(t);
  const wrong = (more) => refused(() => createVerifier({ ...options, ...more }), "config.invalid", 500);
  const limits = ["algorithms", "maxAge", "maxLifetime", "requiredClaims", "tenant", "tokenType", "typ"];
  for (const name of limits) {
    for (const lost of [undefined, null, () => "x", Symbol("x"), NaN]) await wrong({ [name]: lost });
  }
  const inherited = Object.assign(Object.create({ tenant: "org_1" }), options);
  const hidden = Object.defineProperty({ ...options }, "tenant", { value: "org_1" });
  for (const odd of [inherited, hidden, new Map(Object.entries(options)), [options], "x", null]) {
    await refused(() => createVerifier(odd), "config.invalid", 500);
    await refused(() => createVerifier({ issuers: [odd] }), "config.invalid", 500);
  }
  createVerifier(Object.assign(Object.create(null), options));
});

const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;

/** Settings, claims and header of a token that is good with them, and what is refused with them. */
const HEEDED = {
  audience: [{ audience: ["a", "b"] }, { aud: "b" }, {}, { aud: "c" }, {}, "token.audience"],
  anyAudience: [
    { audience: undefined, anyAudience: true },
    { aud: "c" },
    {},
    { exp: 1 },
    {},
    "token.expired",
  ],
  profile: [{ profile: "usso_legacy" }, {}, { typ: "JWT" }, {}, { typ: "logout+jwt" }, "token.typ"],
  algorithms: [{ algorithms: ["EdDSA"] }, {}, {}, {}, { alg: undefined }, undefined],
  typ: [{ profile: "custom", typ: ["x+jwt"] }, {}, { typ: "x+jwt" }, {}, {}, "token.typ"],
  tokenType: [{ tokenType: "special" }, { token_type: "special" }, {}, {}, {}, "token.token_type"],
  tokenTypeIfAny: [
    { profile: "custom", typ: ["at+jwt"], tokenTypeIfAny: "access" },
    { token_type: undefined },
    {},
    { token_type: "refresh" },
    {},
    "token.token_type",
  ],
  tenant: [{ tenant: "t1" }, { tenant_id: "t1" }, {}, { tenant_id: "t2" }, {}, "token.tenant"],
  requiredClaims: [
    { requiredClaims: ["email"] },
    { email: "a@b.example" },
    {},
    {},
    {},
    "token.claim_missing",
  ],
  maxAge: [{ maxAge: 600 }, { iat: soon(-300) }, {}, { iat: soon(-700) }, {}, "token.too_old"],
  maxLifetime: [{ maxLifetime: 1000 }, {}, {}, { exp: soon(5000) }, {}, "token.lifetime"],
  leeway: [{ leeway: 100 }, { exp: soon(-80) }, {}, { exp: soon(-110) }, {}, "token.expired"],
  maxTokenBytes: [{ maxTokenBytes: 600 }, {}, {}, { x: "x".repeat(600) }, {}, "token.too_large"],
};

for (const [name, [more, goodClaims, goodHeader, badClaims, badHeader, code]] of Object.entries(
  HEEDED,
)) {
  test(`the setting ${name} is heeded`, async (t) => {
    const { own, verifier } = await made(t, more);
    assert.equal((await verifier.verify(await own.mint(goodClaims, goodHeader))).sub, "user:1");
    if (code !== undefined) {
      await refused(verifier.verify(await own.mint(badClaims, badHeader)), code, 401);
    }
  });
}

test("an algorithm that is not allowed is refused, although the issuer has such a key", async (t) => {
  const own = await issuer(t, { algorithm: "ES256" });
  const options = { ...own.options, algorithms: ["EdDSA", "RS256"] };
  await refused(createVerifier(options).verify(await own.mint()), "token.algorithm", 401);
});

test("the key is the one key, whatever name tokens give it", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ issuer: own.url, audience: AUDIENCE, jwk: own.keys[0] });
  for (const kid of ["k1", "other", undefined]) {
    assert.equal((await verifier.verify(await own.mint({}, { kid }, "k1"))).sub, "user:1");
  }
});

test("an ID token is good with its nonce only", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, profile: "oidc_id_token", audience: "client" });
  const token = await own.mint(
    { aud: "client", nonce: "n1", token_type: undefined },
    { typ: "JWT" },
  );
  assert.equal((await verifier.verify(token, { nonce: "n1" })).sub, "user:1");
  await refused(verifier.verify(token, { nonce: "n2" }), "token.nonce", 401);
  await refused(() => verifier.verifySync(token, { nonce: "n2" }), "token.nonce", 401);
  await refused(verifier.verify(await own.mint(), { nonce: "n1" }), "token.typ", 401);
});

test("the cooldown is as long as it is set", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now, jwksCooldown: 5 });
  await verifier.verify(await own.mint());
  clock.advance(7);
  await refused(verifier.verify(await own.mint({}, { kid: "a" })), "token.unknown_key");
  clock.advance(2);
  await refused(verifier.verify(await own.mint({}, { kid: "b" })), "token.unknown_key");
  assert.equal(own.fetches, 2);
});

test("remembered tokens are verified again after as many seconds as are set", async (t) => {
  const clock = new Clock();
  const { own, verifier } = await made(t, { now: clock.now, tokenCache: { maxSeconds: 10 } });
  const token = await own.mint();
  const user = await verifier.verify(token);
  clock.advance(9);
  assert.equal(await verifier.verify(token), user);
  clock.advance(2);
  assert.notEqual(await verifier.verify(token), user);
});

test("where the token is in a request is as it is set", async (t) => {
  const { own, options, verifier } = await made(t, {
    realm: "files",
    resourceMetadata: "https://api.example/.well-known/x",
  });
  const token = await own.mint();
  const request = (headers) => ({ method: "GET", target: "/", headers: Object.entries(headers) });
  const find = (more, headers) =>
    createVerifier({ ...options, ...more }).authenticate(request(headers));
  assert.equal((await find({}, { authorization: `Bearer ${token}` })).sub, "user:1");
  assert.equal((await find({ tokenHeader: "x-token" }, { "X-Token": token })).sub, "user:1");
  assert.equal(
    await find({ tokenHeader: "x-token" }, { authorization: `Bearer ${token}` }),
    undefined,
  );
  assert.equal(await find({}, { cookie: `token=${token}` }), undefined);
  const sent = { cookie: `token=${token}`, "sec-fetch-site": "same-origin" };
  assert.equal((await find({ cookie: "token" }, sent)).sub, "user:1");
  const error = await refused(verifier.require(request({})), "access.token_missing", 401);
  const challenge = new Headers(error.response.headers).get("www-authenticate");
  assert.match(challenge, /realm="files"/);
  assert.match(challenge, /resource_metadata="https:\/\/api\.example\/\.well-known\/x"/);
});

test("keys that cannot be used are told apart", async (t) => {
  const { own, options } = await made(t);
  const says = (jwks) => refused(() => createVerifier({ ...options, jwks }), "config.invalid", 500);
  for (const [jwks, reason] of [
    [own.jwks.keys, /no object with the list `keys`/],
    ["https://sso.example/jwks", /no object with the list `keys`/],
    [{ keys: [] }, /no usable key$/],
    [{ keys: [{ ...own.jwks.keys[0], d: "c2VjcmV0" }] }, /no usable key: .*private/],
    [{ keys: [{ kty: "oct", k: "c2VjcmV0" }] }, /no usable key: ./],
  ]) {
    assert.match((await says(jwks)).message, reason);
  }
});
