/**
 * Makes the package: `node build.mjs <folder with the WebAssembly> <folder for the package>`.
 *
 * 1. `wasm-opt` makes the WebAssembly small; it must stay below what is promised.
 * 2. `tsc` makes JavaScript and types.
 * 3. `npm pack` packs what users get.
 */

import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const [made, packed] = process.argv.slice(2).map((folder) => resolve(folder));

/** What the WebAssembly may come to, in bytes, compressed as servers send it. */
const MOST = 150_000;

/** Nothing newer than what all supported platforms have. */
const FEATURES = [
  "bulk-memory",
  "bulk-memory-opt",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
];
// Nothing is kept below the stack, so no address is below an offset. Not `--traps-never-happen`: a trap
// is what is left of a panic, and the checks of bounds would go with it.
const PASSES = ["--low-memory-unused", "-Oz", "--flatten", "--rereloop", "-Oz", "-Oz", "--converge"];
const STRIPPED = ["--strip-debug", "--strip-producers", "--strip-target-features"];

function run(program, ...given) {
  execFileSync(join(here, "node_modules/.bin", program), given, { cwd: here, stdio: "inherit" });
}

const bindings = join(here, "js/wasm");
rmSync(bindings, { recursive: true, force: true });
mkdirSync(bindings);
const wasm = join(bindings, "usso.wasm");
const features = FEATURES.map((name) => `--enable-${name}`);
run("wasm-opt", ...features, ...PASSES, ...STRIPPED, join(made, "usso_bg.wasm"), "-o", wasm);
copyFileSync(join(made, "usso_bg.js"), join(bindings, "usso_bg.js"));
// Only the newest libraries of TypeScript know what it declares beside `free`.
const types = readFileSync(join(made, "usso.d.ts"), "utf8").replace(/^.*\[Symbol\.dispose].*\n/gm, "");
const setter = "export function __wbg_set_wasm(exports: object): void;\n";
writeFileSync(join(bindings, "usso_bg.d.ts"), types + setter);

const size = gzipSync(readFileSync(wasm), { level: 9 }).length;
console.log(`usso.wasm: ${size} bytes compressed, of ${MOST}`);
if (size > MOST) throw new Error("the WebAssembly is too large");
const path = /\/(?:home|root|Users|rustc)\/[^\0]{0,60}/.exec(readFileSync(wasm, "latin1"));
if (path !== null) throw new Error(`the WebAssembly tells where it was built: ${path[0]}`);

const package_ = join(packed, "usso");
rmSync(packed, { recursive: true, force: true });
mkdirSync(package_, { recursive: true });
run("tsc", "-p", ".", "--outDir", package_);
for (const name of ["usso.wasm", "usso_bg.d.ts"]) {
  copyFileSync(join(bindings, name), join(package_, "wasm", name));
}
copyFileSync(join(here, "js/package.json"), join(package_, "package.json"));
copyFileSync(join(here, "README.md"), join(package_, "README.md"));
for (const name of readdirSync(join(here, "..")).filter((name) => name.startsWith("LICENSE"))) {
  cpSync(join(here, "..", name), join(package_, name));
}
execFileSync("npm", ["pack", "--silent", "--pack-destination", packed], {
  cwd: package_,
  stdio: "inherit",
});
