/** The package in workerd, as Cloudflare's bundler takes it. */

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { Miniflare } from "miniflare";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Calls `use` with a function that gives a worker a value and takes one from it, and its address. */
export async function withWorker(contents, use) {
  const folder = await mkdtemp(join(tmpdir(), "usso-worker-"));
  const modules = await bundled(contents, folder);
  const worker = new Miniflare({ modulesRoot: folder, modules, compatibilityDate: "2025-01-01" });
  try {
    await use(
      async (value, query = "") => {
        const body = JSON.stringify(value);
        const answer = await worker.dispatchFetch(`http://worker/${query}`, {
          method: "POST",
          body,
        });
        return answer.json();
      },
      await worker.ready,
    );
  } finally {
    await worker.dispose();
    await rm(folder, { recursive: true });
  }
}

async function bundled(contents, folder) {
  await build({
    stdin: { contents, resolveDir: HERE, sourcefile: "worker.mjs" },
    outfile: join(folder, "worker.mjs"),
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker"],
    loader: { ".wasm": "copy" },
    logLevel: "error",
  });
  const wasm = (await readdir(folder)).filter((name) => name.endsWith(".wasm"));
  return [
    { type: "ESModule", path: join(folder, "worker.mjs") },
    ...wasm.map((name) => ({ type: "CompiledWasm", path: join(folder, name) })),
  ];
}
