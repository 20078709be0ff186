/** Published signatures, by what each platform verifies them with. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { withWorker } from "../verdicts/worker.mjs";
import { published } from "./published.mjs";
import { misjudged } from "./question.mjs";
import { wycheproof } from "./wycheproof.mjs";

const beside = (name) => import(new URL(name, import.meta.resolve("usso/package.json")));
const { nodeCryptography } = await beside("crypto_node.js");
const { webCryptography } = await beside("crypto_web.js");
const WORKER = `
import { webCryptography } from "../../node_modules/usso/crypto_web.js";
import { misjudged } from "../vectors/question.mjs";
export default {
  async fetch(request) {
    return Response.json(await misjudged(webCryptography().verify, await request.json()));
  },
};`;

test("Node judges signatures as Wycheproof does", async () => {
  assert.deepEqual(await misjudged(inNode(), wycheproof()), []);
});

test("Web Crypto of Node judges signatures as Wycheproof does", async () => {
  assert.deepEqual(await misjudged(webCryptography().verify, wycheproof()), []);
});

test("workerd judges signatures as Wycheproof and the RFCs do", async () => {
  await withWorker(WORKER, async (ask) => {
    assert.deepEqual(await ask([...wycheproof(), ...published()]), []);
  });
});

test("the signatures of the RFCs hold, and no others", async () => {
  const signatures = published();
  assert.ok(signatures.filter(({ good }) => good).length === 3 && signatures.length > 500);
  assert.deepEqual(await misjudged(inNode(), signatures), []);
  assert.deepEqual(await misjudged(webCryptography().verify, signatures), []);
});

/** Answers as `crypto_web.js` does, by what answers at once; a key is taken in when it is not known. */
function inNode() {
  const { learn, verifyNow } = nodeCryptography();
  return async ({ algorithm, thumbprint, jwk, message, signature }) => {
    const judge = () => verifyNow(algorithm, thumbprint, message, signature);
    const known = judge();
    if (known === undefined) learn(thumbprint, jwk());
    return known ?? judge();
  };
}

test("of keys that strangers bring as many are kept as is set, those in use longest", () => {
  const { learn, verifyNow } = nodeCryptography();
  const { jwk } = published().find(({ question }) => question.algorithm === "ES256").question;
  const knows = (name) =>
    verifyNow("ES256", name, new Uint8Array(), new Uint8Array(64)) !== undefined;
  learn("used", jwk);
  learn("unused", jwk);
  for (let at = 0; at < 300; at += 1) {
    learn(`stranger ${at}`, jwk);
    assert.ok(knows("used"));
  }
  assert.ok(!knows("unused") && !knows("stranger 0") && knows("stranger 299"));
});
