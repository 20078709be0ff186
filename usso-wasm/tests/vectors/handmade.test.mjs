/** Odd keys and odd signatures, on every platform. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as usso from "usso";

import { differences } from "../verdicts/judge.mjs";
import { inWorkerd } from "../verdicts/platforms.mjs";
import { assertNone, handmade } from "./handmade.mjs";

const file = handmade();

test("odd keys and signatures are judged the same in Node", async () => {
  assertNone(await differences(usso, file, "now"));
  assertNone(await differences(usso, file, "now", true));
});

test("odd keys and signatures are judged the same in workerd, but for keys it does not take", async () => {
  await inWorkerd(file, ({ found, compared }) => {
    const isExcused = (line) =>
      /^[RP]S256 342 (AQAD|____-w): .* here access\.unavailable: /.test(line);
    assertNone({ found: found.filter((line) => !isExcused(line)), compared });
    assert.equal(found.filter(isExcused).length, 8);
  });
});
