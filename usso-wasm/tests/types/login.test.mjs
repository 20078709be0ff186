/** The types of the session of a page, as apps compile against them. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const COMPILER = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
const FILE = fileURLToPath(new URL("login.ts", import.meta.url));
const STRICT = [
  "--noEmit", "--ignoreConfig", "--strict", "--exactOptionalPropertyTypes",
  "--noUncheckedIndexedAccess", "--target", "es2022", "--lib", "es2022,dom,dom.iterable",
];
const APPS = {
  "without a bundler": ["--module", "nodenext", "--types", ""],
  "by a bundler": ["--module", "esnext", "--moduleResolution", "bundler", "--types", ""],
};

for (const [name, flags] of Object.entries(APPS)) {
  test(`every call of the login helper compiles ${name}, and wrong ones do not`, () => {
    const { status, stdout } = spawnSync(process.execPath, [COMPILER, ...STRICT, ...flags, FILE], {
      encoding: "utf8",
    });
    assert.equal(stdout, "");
    assert.equal(status, 0);
  });
}
