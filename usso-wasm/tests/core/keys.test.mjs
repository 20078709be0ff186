/** Keys over HTTP: when they are asked for, and what is believed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier } from "usso";

import { AUDIENCE, Clock, issuer, JWKS, refused } from "./kit.mjs";

const many = (count, make) => Promise.all(Array.from({ length: count }, (_, at) => make(at)));

test("a hundred tokens at once fetch the keys once", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const tokens = await many(100, (at) => own.mint({ sub: `user:${at}` }));
  const users = await Promise.all(tokens.map((token) => verifier.verify(token)));
  assert.deepEqual(
    users.map(({ sub }) => sub),
    tokens.map((_, at) => `user:${at}`),
  );
  assert.equal(own.fetches, 1);
});

test("the keys are found by discovery", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ issuer: own.url, audience: AUDIENCE });
  assert.equal((await verifier.verify(await own.mint())).iss, own.url);
  assert.deepEqual(own.seen.at(-1), `GET ${JWKS}`);
});

for (const algorithm of ["EdDSA", "ES256", "ES384", "RS256", "PS256"]) {
  test(`a token of an issuer with ${algorithm} is good with its fetched keys`, async (t) => {
    const own = await issuer(t, { algorithm });
    const verifier = createVerifier(own.options);
    const token = await own.mint();
    assert.equal((await verifier.verify(token)).sub, "user:1");
    const [header, claims] = token.split(".");
    const other = (await own.mint({ sub: "user:2" })).split(".")[2];
    await refused(verifier.verify(`${header}.${claims}.${other}`), "token.signature", 401);
  });
}

test("a storm of unknown key names is one request in the cooldown", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  await verifier.verify(await own.mint());
  clock.advance(40);
  const storm = await many(200, (at) => own.mint({}, { kid: `no-${at}` }));
  await Promise.all(
    storm.map((token) => refused(verifier.verify(token), "token.unknown_key", 401)),
  );
  assert.equal(own.fetches, 2);
  await refused(verifier.verify(await own.mint({}, { kid: "another" })), "token.unknown_key");
  assert.equal(own.fetches, 2);
  clock.advance(40);
  await refused(verifier.verify(await own.mint({}, { kid: "still-another" })), "token.unknown_key");
  assert.equal(own.fetches, 3);
});

test("a key name that the issuer does not have is remembered after the cooldown too", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  await verifier.verify(await own.mint());
  clock.advance(40);
  const stranger = await own.mint({}, { kid: "no-such" });
  await refused(verifier.verify(stranger), "token.unknown_key");
  assert.equal(own.fetches, 2);
  clock.advance(40);
  await refused(verifier.verify(stranger), "token.unknown_key");
  assert.equal(own.fetches, 2);
});

test("a token of a known key is not held up by a fetch", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  await verifier.verify(await own.mint());
  clock.advance(40);
  let release;
  own.answer = (request, response) => (release = () => response.end(JSON.stringify(own.jwks)));
  const stranger = refused(
    verifier.verify(await own.mint({}, { kid: "no-such" })),
    "token.unknown_key",
  );
  assert.equal((await verifier.verify(await own.mint())).sub, "user:1");
  assert.equal(verifier.verifySync(await own.mint()).sub, "user:1");
  while (release === undefined) await new Promise(setImmediate);
  release();
  await stranger;
});

test("a new key is found when a token names it", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  await verifier.verify(await own.mint());
  clock.advance(40);
  await own.rotate();
  const users = await many(20, async () => verifier.verify(await own.mint()));
  assert.ok(users.every(({ sub }) => sub === "user:1"));
  assert.equal(own.fetches, 2);
});

test("a key that was withdrawn is refused, and so are the tokens remembered with it", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  const token = await own.mint({ exp: Math.floor(clock.milliseconds / 1000) + 90_000 });
  await verifier.verify(token);
  assert.equal(verifier.verifySync(token).sub, "user:1");
  const old = own.kid;
  await own.rotate();
  own.revoke(old);
  clock.advance(40);
  await verifier.verify(await own.mint({ exp: Math.floor(clock.milliseconds / 1000) + 90_000 }));
  await refused(verifier.verify(token), "token.unknown_key", 401);
  await refused(() => verifier.verifySync(token), "token.unknown_key", 401);
});

test("keys that are known stay good in an outage, up to the hard age", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now, jwksHardAge: 7200 });
  const token = await own.mint({ exp: Math.floor(clock.milliseconds / 1000) + 90_000 });
  await verifier.verify(token);
  own.answer = (request, response) => response.destroy();
  clock.advance(7100);
  assert.equal((await verifier.verify(token)).sub, "user:1");
  clock.advance(200);
  const error = await refused(verifier.verify(token), "token.keys_unavailable", 503);
  assert.ok(!`${error.stack}${error.response.body}`.includes(own.url));
  own.answer = undefined;
  clock.advance(400);
  assert.equal((await verifier.verify(token)).sub, "user:1");
});

test("an outage at the start is nobody's fault and ends by itself", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  own.answer = (request, response) => response.writeHead(500).end();
  const token = await own.mint();
  await many(50, () => refused(verifier.verify(token), "token.keys_unavailable", 503));
  assert.equal(own.fetches, 1);
  own.answer = undefined;
  await refused(verifier.verify(token), "token.keys_unavailable", 503);
  assert.equal(own.fetches, 1);
  clock.advance(40);
  assert.equal((await verifier.verify(token)).sub, "user:1");
});

const WRONG = {
  "a redirect": (request, response) => response.writeHead(302, { location: "/elsewhere" }).end(),
  "a redirect that lasts": (request, response) =>
    response.writeHead(308, { location: "/elsewhere" }).end(),
  "broken JSON": (request, response) => response.end('{"keys": ['),
  "an empty set": (request, response) => response.end('{"keys": []}'),
  "no set": (request, response) => response.end("[]"),
  nothing: (request, response) => response.end(),
  "bytes that are no text": (request, response) => response.end(Buffer.from([0xff, 0xfe, 0, 1])),
  "too much": (request, response) => response.end(`{"keys":[],"x":"${"x".repeat(1 << 20)}"}`),
  "a broken body": (request, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("{");
    setImmediate(() => response.destroy());
  },
};

for (const [name, answer] of Object.entries(WRONG)) {
  test(`an issuer that answers with ${name} has no keys`, async (t) => {
    const own = await issuer(t);
    own.answer = (request, response) => {
      if (request.url === "/elsewhere") return response.end(JSON.stringify(own.jwks));
      return answer(request, response);
    };
    const verifier = createVerifier(own.options);
    await refused(verifier.verify(await own.mint()), "token.keys_unavailable", 503);
    assert.deepEqual(own.seen, [`GET ${JWKS}`]);
  });
}

test("keys that are known outlast a broken answer", async (t) => {
  for (const answer of Object.values(WRONG)) {
    const own = await issuer(t);
    const clock = new Clock();
    const verifier = createVerifier({ ...own.options, now: clock.now });
    await verifier.verify(await own.mint());
    own.answer = answer;
    clock.advance(40);
    const stranger = await own.mint({}, { kid: "no-such" });
    await refused(verifier.verify(stranger), "token.keys_unavailable", 503);
    assert.equal(own.fetches, 2);
    assert.equal((await verifier.verify(await own.mint())).sub, "user:1");
  }
});

test("an answer without end is read no further than allowed", { timeout: 20_000 }, async (t) => {
  const own = await issuer(t);
  let sent = 0;
  const ended = new Promise((resolve) => {
    own.answer = (request, response) => {
      const more = () => {
        if (response.destroyed) return resolve();
        // As much is read by nobody.
        if (sent >= 1 << 25) return response.end(resolve);
        sent += 65_536;
        return response.write(" ".repeat(65_536), () => setImmediate(more));
      };
      more();
    };
  });
  await refused(
    createVerifier(own.options).verify(await own.mint()),
    "token.keys_unavailable",
    503,
  );
  await ended;
  assert.ok(sent < 1 << 24, `${sent} bytes`);
});

test("a request for keys says nothing of the token", async (t) => {
  const own = await issuer(t);
  let seen;
  own.answer = (request, response) => {
    seen = request;
    response.end(JSON.stringify(own.jwks));
  };
  await createVerifier(own.options).verify(await own.mint());
  assert.equal(seen.method, "GET");
  for (const name of ["authorization", "cookie", "x-api-key", "referer"]) {
    assert.equal(seen.headers[name], undefined);
  }
  assert.ok(!JSON.stringify(seen.rawHeaders).includes("eyJ"));
});

test("keys are fetched ahead of time, and nobody waits for them", async (t) => {
  const own = await issuer(t);
  const clock = new Clock();
  const verifier = createVerifier({ ...own.options, now: clock.now });
  const token = await own.mint({ exp: Math.floor(clock.milliseconds / 1000) + 90_000 });
  await verifier.verify(token);
  const asked = new Promise((resolve) => {
    own.answer = (request, response) => resolve(response);
  });
  const later = [];
  clock.advance(590);
  verifier.clearCache();
  assert.equal(
    (await verifier.verify(token, { waitUntil: (work) => later.push(work) })).sub,
    "user:1",
  );
  assert.equal(later.length, 1);
  (await asked).end(JSON.stringify(own.jwks));
  await later[0];
  assert.equal(own.fetches, 2);
});

test("at once, without keys: nobody can tell, and the keys are fetched for the next one", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const token = await own.mint();
  const later = [];
  const waitUntil = (work) => later.push(work);
  await refused(() => verifier.verifySync(token, { waitUntil }), "access.unavailable", 503);
  await later[0];
  assert.equal(verifier.verifySync(token).sub, "user:1");
  assert.equal(own.fetches, 1);
});

test("two verifiers share nothing", async (t) => {
  const one = await issuer(t);
  const two = await issuer(t);
  const verifiers = [
    createVerifier(one.options),
    createVerifier({ ...two.options, issuer: one.url }),
  ];
  const token = await one.mint();
  await verifiers[0].verify(token);
  await refused(verifiers[1].verify(token), "token.signature", 401);
  assert.equal(one.fetches, 1);
  assert.equal(verifiers[0].cachedTokens, 1);
  assert.equal(verifiers[1].cachedTokens, 0);
  verifiers[1].clearCache();
  assert.equal(verifiers[0].cachedTokens, 1);
});

test("of several issuers each has its own keys and its own outage", async (t) => {
  const one = await issuer(t);
  const two = await issuer(t);
  two.answer = (request, response) => response.writeHead(500).end();
  const verifier = createVerifier({ issuers: [one.options, two.options] });
  assert.equal((await verifier.verify(await one.mint())).iss, one.url);
  await refused(verifier.verify(await two.mint()), "token.keys_unavailable", 503);
  const forged = await one.mint({ iss: two.url });
  await refused(verifier.verify(forged), "token.keys_unavailable", 503);
  await refused(
    verifier.verify(await one.mint({ iss: "https://other" })),
    "token.unknown_issuer",
    401,
  );
});
