/** The verdicts of Rust, in workerd: signatures by its `crypto.subtle`. */

import { test } from "node:test";

import { assertSame, corpus } from "./corpus.mjs";
import { inWorkerd } from "./platforms.mjs";

test("every token has the verdict of Rust in an edge worker, now and later", async () => {
  const file = corpus();
  await inWorkerd(file, (outcome) => assertSame(file, outcome));
});
