/** Published, odd and weak signatures, in a browser. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BROWSER } from "../browser.mjs";
import { withPage } from "../verdicts/page.mjs";
import { inBrowser } from "../verdicts/platforms.mjs";
import { assertNone, handmade } from "./handmade.mjs";
import { published } from "./published.mjs";
import { wycheproof } from "./wycheproof.mjs";

test(`${BROWSER} judges signatures as Wycheproof and the RFCs do`, async () => {
  const files = {
    "/question.mjs": {
      type: "text/javascript",
      body: readFileSync(new URL("question.mjs", import.meta.url)),
    },
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

test(`odd keys and signatures are judged the same in ${BROWSER}`, async () => {
  await inBrowser(handmade(), assertNone);
});
