/** What happens when the platform's cryptography fails: nobody is let in, and nothing else breaks. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier } from "usso";
import { createTestIssuer } from "usso/testing";

import { refused } from "./kit.mjs";

test("an error of the platform is no verdict, and leaves the verifier as it was", async () => {
  const { nodeCryptography } = await import(beside("crypto_node.js"));
  const { use } = await import(beside("platform.js"));
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

/** A file of the package that apps do not see. */
function beside(name) {
  return new URL(name, import.meta.resolve("usso")).href;
}
