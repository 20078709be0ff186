/** The package in Node and Bun. */

import { readFileSync } from "node:fs";

import { nodeCryptography } from "./crypto_node.js";
import { start } from "./native.js";
import { use } from "./platform.js";

start(new WebAssembly.Module(readFileSync(new URL("./wasm/usso.wasm", import.meta.url))));
use(nodeCryptography());

export * from "./index.js";
