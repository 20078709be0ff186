/** The verdicts of Rust, in a browser: signatures by `crypto.subtle`. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { BROWSER } from "../browser.mjs";
import { assertSame, corpus } from "./corpus.mjs";
import { inBrowser, inBrowserAtOnce } from "./platforms.mjs";

test(`every token has the verdict of Rust in ${BROWSER}, now and later`, async () => {
  const file = corpus();
  await inBrowser(file, (outcome) => assertSame(file, outcome));
});

test(`only EdDSA is verified at once in ${BROWSER}, and the rest is not guessed`, async () => {
  const file = corpus();
  const cases = file.cases.filter(({ name }) => name.startsWith("mutated"));
  const { found } = await inBrowserAtOnce({ ...file, cases });
  assert.ok(found.length > 1000);
  for (const line of found) {
    assert.match(line, /^mutated (ES|RS|PS)\d+: (accepted|token\.\w+), here access\.unavailable: /);
  }
});
