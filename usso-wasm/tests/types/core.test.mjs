/** The types of the package, as apps compile against them. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const COMPILER = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
const FILE = fileURLToPath(new URL("core.ts", import.meta.url));
const STRICT = [
  "--noEmit",
  "--ignoreConfig",
  "--strict",
  "--exactOptionalPropertyTypes",
  "--noUncheckedIndexedAccess",
  "--target",
  "es2022",
];
const NODENEXT = ["--module", "nodenext", "--moduleResolution", "nodenext"];
const BUNDLER = ["--module", "esnext", "--moduleResolution", "bundler"];
const APPS = {
  "in Node, without the types of a browser": [...NODENEXT, "--lib", "es2022", "--types", "node"],
  "in a browser, by a bundler, without the types of Node": [
    ...BUNDLER,
    "--lib",
    "es2022,dom,dom.iterable",
    "--types",
    "",
  ],
  "in a worker, by a bundler": [
    ...BUNDLER,
    "--customConditions",
    "workerd",
    "--lib",
    "es2022,webworker,webworker.iterable",
    "--types",
    "",
  ],
};

for (const [name, flags] of Object.entries(APPS)) {
  test(`every documented call compiles ${name}, and wrong ones do not`, () => {
    const { status, stdout } = spawnSync(process.execPath, [COMPILER, ...STRICT, ...flags, FILE], {
      encoding: "utf8",
    });
    assert.equal(stdout, "");
    assert.equal(status, 0);
  });
}
