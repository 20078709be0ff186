/** Published signatures, by what each platform verifies them with. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { withPage } from "../verdicts/page.mjs";
import { withWorker } from "../verdicts/worker.mjs";
import { misjudged } from "./question.mjs";
import { wycheproof } from "./wycheproof.mjs";

const beside = (name) => import(new URL(name, import.meta.resolve("usso/package.json")));
const { nodeCryptography } = await beside("crypto_node.js");
const { webCryptography } = await beside("crypto_web.js");
const OWN = new URL("question.mjs", import.meta.url);
const JOSE = new URL("../../../usso-py/tests/core/vectors/jose.json", import.meta.url);
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

test("Chromium judges signatures as Wycheproof and the RFCs do", async () => {
  const files = {
    "/question.mjs": { type: "text/javascript", body: readFileSync(OWN) },
    "/signatures.json": {
      type: "application/json",
      body: JSON.stringify([...wycheproof(), ...published()]),
    },
  };
  await withPage(async (page) => {
    const wrong = await page.evaluate(async () => {
      const { webCryptography } = await import("/usso/crypto_web.js");
      const { misjudged } = await import("/question.mjs");
      const signatures = await (await fetch("/signatures.json")).json();
      return misjudged(webCryptography().verify, signatures);
    });
    assert.deepEqual(wrong, []);
  }, files);
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

/** The signatures of the RFCs, and what comes of changing each byte, of the keys left to platforms. */
function published() {
  const { signatures } = JSON.parse(readFileSync(JOSE, "utf8"));
  return signatures.filter(({ jwk }) => jwk.kty !== "OKP").flatMap(each);
}

function each({ name, jwk, input, signature }) {
  const algorithm = { EC: "ES256", RSA: "RS256" }[jwk.kty];
  const bytes = Buffer.from(signature, "base64url");
  const question = {
    algorithm,
    thumbprint: name,
    jwk: JSON.stringify(jwk),
    message: Buffer.from(input).toString("hex"),
    signature: bytes.toString("hex"),
  };
  const changed = Array.from(bytes, (_, at) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= 1;
    return {
      name: `${name}, ${at}`,
      question: { ...question, signature: copy.toString("hex") },
      good: false,
    };
  });
  const longer = { ...question, message: `${question.message}41` };
  return [
    { name, question, good: true },
    { name: `${name}, longer`, question: longer, good: false },
    ...changed,
  ];
}

test("of keys that strangers bring as many are kept as is set, those in use longest", () => {
  const { learn, verifyNow } = nodeCryptography();
  const { jwk } = JSON.parse(readFileSync(JOSE, "utf8")).signatures[1];
  const knows = (name) =>
    verifyNow("ES256", name, new Uint8Array(), new Uint8Array(64)) !== undefined;
  learn("used", JSON.stringify(jwk));
  learn("unused", JSON.stringify(jwk));
  for (let at = 0; at < 300; at += 1) {
    learn(`stranger ${at}`, JSON.stringify(jwk));
    assert.ok(knows("used"));
  }
  assert.ok(!knows("unused") && !knows("stranger 0") && knows("stranger 299"));
});
