import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const COMPILER = path("../../node_modules/typescript/bin/tsc");

function compile(cwd, ...flags) {
  const { status, stdout } = spawnSync(process.execPath, [COMPILER, ...flags], {
    cwd,
    encoding: "utf8",
  });
  assert.deepEqual([stdout, status], ["", 0]);
}

test("the adapters have the types that the frameworks want, and give the user theirs", () => {
  compile(path("."), "-p", "adapters.tsconfig.json");
});

test("an app that has no framework compiles with the others' adapters", async (t) => {
  const app = await mkdtemp(join(tmpdir(), "usso-types-"));
  t.after(() => rm(app, { recursive: true }));
  await mkdir(join(app, "node_modules", "@types"), { recursive: true });
  for (const name of ["usso", "@types/node", "undici-types"]) {
    await symlink(path(`../../node_modules/${name}`), join(app, "node_modules", name));
  }
  const names = ["express", "fetch", "hono", "next", "testing"];
  const lines = names.map((name) => `export * as ${name} from "usso/${name}";`);
  await writeFile(join(app, "app.mts"), lines.join("\n"));
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"];
  compile(app, ...flags, "--preserveSymlinks", "--types", "node", "app.mts");
});
