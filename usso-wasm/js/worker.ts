/** The package in edge workers, which compile WebAssembly when they are deployed. */

import module from "./wasm/usso.wasm";

import { webCryptography } from "./crypto_web.js";
import { start } from "./native.js";
import { use } from "./platform.js";

start(module);
use(webCryptography());

export * from "./index.js";
