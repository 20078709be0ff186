/** Requests that take too long, or never end. The timers are moved by hand. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { createVerifier } from "usso";

import { issuer, refused } from "./kit.mjs";

// Once for all tests: Node 20 does not move timers that are enabled again.
mock.timers.enable({ apis: ["setTimeout"] });

/** Lets everything happen that is under way, over sockets too, until something is so. */
async function until(is) {
  while (!is()) await new Promise(setImmediate);
}

/** Moves the timers on by a second at a time until something has settled; gives the seconds. */
async function secondsUntil(work) {
  let isDone = false;
  const done = work.finally(() => (isDone = true)).catch(() => undefined);
  for (let seconds = 0; seconds < 60; seconds += 1) {
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    if (isDone) {
      await done;
      return seconds;
    }
    mock.timers.tick(1000);
  }
  return assert.fail("it does not settle in a minute");
}

const SLOW = {
  "does not answer": () => undefined,
  "sends the head and nothing more": (request, response) => response.flushHeaders(),
  drips: (request, response) => {
    const drip = () => response.destroyed || response.write(" ", () => setImmediate(drip));
    drip();
  },
};

for (const [name, answer] of Object.entries(SLOW)) {
  test(`a server that ${name} is given up after ten seconds`, async (t) => {
    const own = await issuer(t);
    let closed = false;
    own.answer = (request, response) => {
      response.on("close", () => (closed = true));
      answer(request, response);
    };
    const verifier = createVerifier(own.options);
    const work = refused(verifier.verify(await own.mint()), "token.keys_unavailable", 503);
    await until(() => own.fetches === 1);
    assert.equal(await secondsUntil(work), 10);
    await work;
    await until(() => closed);
    assert.equal(own.fetches, 1);
  });
}

test("a fetch that does not heed that it was given up is given up too", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier({ ...own.options, fetch: () => new Promise(() => undefined) });
  const work = refused(verifier.verify(await own.mint()), "token.keys_unavailable", 503);
  assert.equal(await secondsUntil(work), 10);
  await work;
});

test("a fetch that was dropped with its client holds others up for a second only", async (t) => {
  const own = await issuer(t);
  let sent = 0;
  const verifier = createVerifier({
    ...own.options,
    fetch: (...request) => {
      sent += 1;
      return sent === 1 ? new Promise(() => undefined) : fetch(...request);
    },
  });
  const token = await own.mint();
  const dropped = verifier.verify(token);
  const others = Promise.all(Array.from({ length: 50 }, () => verifier.verify(token)));
  const seconds = await secondsUntil(others);
  assert.ok(seconds <= 2, `${seconds} seconds`);
  assert.ok((await others).every(({ sub }) => sub === "user:1"));
  assert.equal(own.fetches, 1);
  // What was dropped comes to its end, if anybody still waits for it.
  assert.ok((await secondsUntil(dropped)) <= 10);
  assert.equal((await dropped).sub, "user:1");
});

test("if who asked in their place was dropped too, the next one asks after another second", async (t) => {
  const own = await issuer(t);
  let sent = 0;
  const verifier = createVerifier({
    ...own.options,
    fetch: (...request) => {
      sent += 1;
      return sent <= 2 ? new Promise(() => undefined) : fetch(...request);
    },
  });
  const token = await own.mint();
  const [, , ...others] = Array.from({ length: 12 }, () => verifier.verify(token));
  const seconds = await secondsUntil(Promise.all(others));
  assert.ok(seconds <= 4, `${seconds} seconds`);
  assert.equal(sent, 3);
});

test("the answer of a request that was given up changes nothing any more", async (t) => {
  const own = await issuer(t);
  const answers = [];
  const verifier = createVerifier({
    ...own.options,
    fetch: (...request) => {
      const answer = new Promise((resolve) => answers.push(resolve));
      return answers.length === 1 ? answer : fetch(...request);
    },
  });
  const token = await own.mint();
  const [first, second] = [verifier.verify(token), verifier.verify(token)];
  assert.ok((await secondsUntil(second)) <= 2);
  const stranger = await issuer(t);
  answers[0](Response.json(stranger.jwks));
  assert.equal((await first).sub, "user:1");
  assert.equal((await verifier.verify(await own.mint())).sub, "user:1");
  await refused(verifier.verify(await stranger.mint({ iss: own.url })), "token.signature");
});

test("a late answer is not taken for that to the next request", async (t) => {
  const own = await issuer(t);
  const sent = [];
  const verifier = createVerifier({
    issuer: own.url,
    audience: own.options.audience,
    fetch: (url) =>
      new Promise((resolve) => sent.push({ url, answer: (it) => resolve(Response.json(it)) })),
  });
  const token = await own.mint();
  const [first, second] = [verifier.verify(token), verifier.verify(token)];
  const discovery = { issuer: own.url, jwks_uri: own.options.jwksUrl };
  while (sent.length < 2) {
    mock.timers.tick(1000);
    await new Promise(setImmediate);
  }
  sent[1].answer(discovery);
  await until(() => sent.length === 3);
  assert.equal(sent[2].url, own.options.jwksUrl);
  const stranger = await issuer(t);
  sent[0].answer(stranger.jwks);
  // Who was slower goes on where the other one is.
  await until(() => sent.length === 4);
  assert.equal(sent[3].url, own.options.jwksUrl);
  sent[2].answer(own.jwks);
  sent[3].answer(own.jwks);
  assert.equal((await second).sub, "user:1");
  assert.equal((await first).sub, "user:1");
  await refused(verifier.verify(await stranger.mint({ iss: own.url })), "token.signature", 401);
});

test("a request that others may wait for is given to waitUntil", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const later = [];
  const waitUntil = (work) => later.push(work);
  const token = await own.mint();
  const users = await Promise.all([
    verifier.verify(token, { waitUntil }),
    verifier.verify(token, { waitUntil }),
  ]);
  assert.equal(users[0], users[1]);
  assert.ok(later.length > 0);
  assert.ok((await Promise.all(later)).every((value) => value === undefined));
  assert.equal(own.fetches, 1);
});

for (const [name, send] of Object.entries({
  throws: () => {
    throw new Error("no");
  },
  rejects: async () => Promise.reject(new Error("no")),
  "gives nothing": async () => undefined,
  "gives no Response": async () => ({
    status: "x",
    headers: 7,
    body: { getReader: () => ({ read: 1 }) },
  }),
  "gives a body that breaks": async () =>
    new Response(new ReadableStream({ pull: (controller) => controller.error(new Error("no")) })),
  "gives a status of its own": async () => ({ status: 99_999, headers: new Headers(), body: null }),
  "gives no bytes": async () => ({
    status: 200,
    headers: new Headers(),
    body: { getReader: () => ({ read: async () => ({ done: false, value: "x".repeat(99) }) }) },
  }),
})) {
  test(`a fetch that ${name} is an outage`, async (t) => {
    const own = await issuer(t);
    const verifier = createVerifier({ ...own.options, fetch: send });
    await refused(verifier.verify(await own.mint()), "token.keys_unavailable", 503);
  });
}

test("the platform's fetch is called as it was at the time", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const seen = [];
  t.mock.method(globalThis, "fetch", function (url, init) {
    seen.push([this, url, init.redirect]);
    return Promise.resolve(Response.json(own.jwks));
  });
  assert.equal((await verifier.verify(await own.mint())).sub, "user:1");
  assert.deepEqual(seen, [[globalThis, own.options.jwksUrl, "manual"]]);
});
