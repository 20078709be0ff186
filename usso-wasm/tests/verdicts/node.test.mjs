/** The verdicts of Rust, in Node. */

import { test } from "node:test";

import * as usso from "usso";

import { assertSame, corpus } from "./corpus.mjs";
import { differences } from "./judge.mjs";

for (const at of ["now", "later"]) {
  test(`every token has the verdict of Rust, ${at}`, async () => {
    const file = corpus();
    assertSame(file, await differences(usso, file, at));
  });

  test(`every token has the verdict of Rust at once, without a promise, ${at}`, async () => {
    const file = corpus();
    assertSame(file, await differences(usso, file, at, true));
  });
}
