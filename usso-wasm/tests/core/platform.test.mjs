/** What happens when the platform's cryptography fails: nobody is let in, and nothing else breaks. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier } from "usso";
import { createTestIssuer } from "usso/testing";

import { refused } from "./kit.mjs";

test("an error of the platform is no verdict, and leaves the verifier as it was", async (t) => {
  const { nodeCryptography } = await import(beside("crypto_node.js"));
  const { use } = await import(beside("platform.js"));
  t.after(() => use(nodeCryptography()));
  const issuer = await createTestIssuer({ algorithm: "ES256" });
  const verifier = createVerifier(issuer.options);
  const known = await issuer.mint();
  assert.equal(verifier.verifySync(known).sub, "user:1");
  const token = await issuer.mint({ sub: "user:2" });
  const verifyNow = () => {
    throw new Error("out of order");
  };
  use({ learn() {}, verifyNow });
  for (let times = 0; times < 3; times++) {
    await refused(() => verifier.verifySync(token), "access.unavailable", 503);
    await refused(verifier.verify(token), "access.unavailable", 503);
    assert.equal(verifier.verifySync(known).sub, "user:1");
  }
  use(nodeCryptography());
  assert.equal(verifier.verifySync(token).sub, "user:2");
});

for (const [algorithm, length] of [["ES256", 64], ["ES384", 96], ["RS256", 256], ["PS256", 256]]) {
  test(`the platform is asked only of bytes that can be an ${algorithm} signature`, async (t) => {
    const { nodeCryptography } = await import(beside("crypto_node.js"));
    const { use } = await import(beside("platform.js"));
    t.after(() => use(nodeCryptography()));
    const issuer = await createTestIssuer({ algorithm });
    const verifier = createVerifier(issuer.options);
    const token = await issuer.mint();
    const signed = token.slice(0, token.lastIndexOf(".") + 1);
    const asked = [];
    const verifyNow = (_algorithm, _key, _message, signature) => asked.push(signature.length) > 0;
    use({ learn() {}, verifyNow });
    for (const other of [1, length / 2, length - 2, length - 1, length + 1, 2 * length]) {
      const resized = signed + Buffer.alloc(other, 7).toString("base64url");
      await refused(() => verifier.verifySync(resized), "token.signature");
      await refused(verifier.verify(resized), "token.signature");
    }
    // As long as a signature, but not below the modulus.
    const { n } = issuer.jwks.keys[0];
    if (n !== undefined) await refused(() => verifier.verifySync(signed + n), "token.signature");
    assert.deepEqual(asked, []);
    assert.equal(verifier.verifySync(token).sub, "user:1");
    assert.deepEqual(asked, [length]);
  });
}

/** A file of the package that apps do not see. */
function beside(name) {
  return new URL(name, import.meta.resolve("usso")).href;
}
