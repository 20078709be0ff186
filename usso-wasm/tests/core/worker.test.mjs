/** One verifier for the requests of an edge worker, in workerd. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { withWorker } from "../verdicts/worker.mjs";
import { AUDIENCE, issuer, JWKS } from "./kit.mjs";

const worker = (url) => `
import { createVerifier } from "usso";
const verifier = createVerifier({ issuer: "${url}", audience: "${AUDIENCE}", jwksUrl: "${url}${JWKS}" });
export default {
  async fetch(request, env, ctx) {
    try {
      const waitUntil = request.headers.has("stays") ? (work) => ctx.waitUntil(work) : undefined;
      return Response.json((await verifier.require(request, { waitUntil })).claims);
    } catch (error) {
      return new Response(error.code ?? error.stack, { status: error.status ?? 500 });
    }
  },
};`;

async function until(is) {
  while (!is()) await new Promise(setImmediate);
}

function held(own) {
  const waiting = [];
  own.answer = (request, response) => waiting.push(response);
  return waiting;
}

const bearer = (token) => ({ authorization: `Bearer ${token}` });

test("requests at once in one worker fetch the keys once", async (t) => {
  const own = await issuer(t, { algorithm: "ES256" });
  const token = await own.mint();
  await withWorker(worker(own.url), async (_, url) => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => fetch(url, { headers: bearer(token) })),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      Array(30).fill(200),
    );
    assert.equal((await answers[0].json()).sub, "user:1");
    assert.equal(own.fetches, 1);
  });
});

test("a client who leaves while the keys are fetched holds nobody up for long", async (t) => {
  const own = await issuer(t);
  const token = await own.mint();
  const waiting = held(own);
  await withWorker(worker(own.url), async (_, url) => {
    const leaver = new AbortController();
    const left = fetch(url, { headers: bearer(token), signal: leaver.signal });
    await until(() => waiting.length === 1);
    leaver.abort();
    await assert.rejects(left);
    const answers = Array.from({ length: 10 }, () => fetch(url, { headers: bearer(token) }));
    await until(() => waiting.length === 2);
    for (const response of waiting) response.end(JSON.stringify(own.jwks));
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    assert.deepEqual(statuses, Array(10).fill(200));
    assert.equal(own.fetches, 2);
  });
});

test("with waitUntil the keys come although the client left", async (t) => {
  const own = await issuer(t);
  const token = await own.mint();
  const waiting = held(own);
  await withWorker(worker(own.url), async (_, url) => {
    const leaver = new AbortController();
    const headers = { ...bearer(token), stays: "yes" };
    const left = fetch(url, { headers, signal: leaver.signal });
    await until(() => waiting.length === 1);
    leaver.abort();
    await assert.rejects(left);
    const answer = fetch(url, { headers: bearer(token) });
    waiting[0].end(JSON.stringify(own.jwks));
    assert.equal((await answer).status, 200);
    assert.equal(own.fetches, 1);
  });
});
