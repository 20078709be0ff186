/** The package in the edge runtime of Next.js, which asks for WebAssembly in its own words. */

import module from "./wasm/usso.wasm?module";

import { webCryptography } from "./crypto_web.js";
import { start } from "./native.js";
import { use } from "./platform.js";

start(module);
use(webCryptography());

export * from "./index.js";
