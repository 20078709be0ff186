/** Keys and tokens of the JOSE RFCs. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { createVerifier } from "usso";

const JOSE = new URL("../../../usso-py/tests/core/vectors/jose.json", import.meta.url);
const { signatures, refused_keys, refused_tokens } = JSON.parse(readFileSync(JOSE, "utf8"));
const JOE = { issuer: "joe", anyAudience: true };

for (const { name, jwk } of refused_keys) {
  test(`a key that is not for this is refused: ${name}`, () => {
    assert.throws(() => createVerifier({ ...JOE, jwk }), {
      name: "UssoError",
      code: "config.invalid",
    });
    const jwks = { keys: [jwk] };
    assert.throws(() => createVerifier({ ...JOE, jwks }), {
      name: "UssoError",
      code: "config.invalid",
    });
  });
}

for (const { name, token, code } of refused_tokens) {
  test(`a token that is not for this is refused: ${name}`, async () => {
    const keys = signatures.map(({ jwk }) => jwk);
    const verifier = createVerifier({ ...JOE, jwks: { keys } });
    await assert.rejects(verifier.verify(token), { name: "UssoError", code });
  });
}
