/** The package in browsers and Deno. It loads `usso.wasm` from beside itself. */

import { webCryptography } from "./crypto_web.js";
import { start } from "./native.js";
import { use } from "./platform.js";

const response = await fetch(new URL("./wasm/usso.wasm", import.meta.url));
if (!response.ok) throw new Error(`usso.wasm cannot be loaded: ${response.status}`);
start(await WebAssembly.compile(await response.arrayBuffer()));
use(webCryptography());

export * from "./index.js";
