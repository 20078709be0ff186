/** The place in the WebAssembly's memory where tokens are read: nobody gets another's verdict. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier } from "usso";

import { AUDIENCE, issuer, refused } from "./kit.mjs";

async function known(t, more = {}) {
  const own = await issuer(t);
  const options = { issuer: own.url, audience: AUDIENCE, jwks: own.jwks, profile: "usso" };
  return { own, verifier: createVerifier({ ...options, ...more }), options };
}

test("a clock that verifies another token changes no verdict", async (t) => {
  let left = Infinity;
  const now = () => {
    if (left-- === 0) assert.equal(verifier.verifySync(bob).sub, "user:bob");
    return Date.now();
  };
  const { own, verifier } = await known(t, { now });
  // As long as the other.
  const bob = await own.mint({ sub: "user:bob", times: 9 });
  // Asked once about what is remembered, a second time for what is not.
  for (const times of [0, 1]) {
    const ann = await own.mint({ sub: "user:ann", times });
    left = times;
    assert.equal(verifier.verifySync(ann).sub, "user:ann");
    left = times;
    assert.equal((await verifier.verify(ann)).sub, "user:ann");
    left = times;
    await refused(() => verifier.verifySync(`${ann}x`), "token.malformed", 401);
  }
});

test("tokens of all lengths are told apart when the memory grows meanwhile", async (t) => {
  const { own, verifier, options } = await known(t, { maxTokenBytes: 60_000 });
  const tokens = [];
  for (let number = 0; number < 60; number++) {
    const padding = "x".repeat((number * 7919) % 30_000);
    tokens.push([`user:${number}`, await own.mint({ sub: `user:${number}`, padding })]);
  }
  for (const round of ["cold", "remembered"]) {
    for (const [sub, token] of tokens) {
      // Each verifier takes room of its own.
      createVerifier({ ...options, maxTokenBytes: 1 << 20 });
      assert.equal(verifier.verifySync(token).sub, sub, round);
    }
  }
});

test("a token as long as allowed is good, and with one byte more too large", async (t) => {
  const { own, options } = await known(t);
  const token = await own.mint();
  const fits = createVerifier({ ...options, maxTokenBytes: token.length });
  assert.equal(fits.verifySync(token).sub, "user:1");
  for (const more of ["x", "é", "€", "😀", "x".repeat(100_000), "€".repeat(100_000)]) {
    await refused(() => fits.verifySync(token + more), "token.too_large", 401);
  }
  const short = createVerifier({ ...options, maxTokenBytes: token.length - 1 });
  await refused(() => short.verifySync(token), "token.too_large", 401);
});

test("without a time that can be one, nothing is good", async (t) => {
  for (const time of [NaN, Infinity, -Infinity, 0, -1, 1e30, undefined, null, "soon", {}]) {
    const { own, verifier } = await known(t, { now: () => time });
    const token = await own.mint();
    await refused(() => verifier.verifySync(token), "access.unavailable", 503);
    await refused(verifier.verify(token), "access.unavailable", 503);
  }
});
