// Workers in workerd, bundled as Cloudflare's tools do it.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { build } from "esbuild";
import { Miniflare } from "miniflare";

/** Calls `use` with a function that sends requests to a worker, and with the worker. */
export async function runWorker(entry, options, use) {
  const outdir = await mkdtemp(join(tmpdir(), "usso-worker-"));
  await build({
    ...entry,
    entryNames: "worker",
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker"],
    loader: { ".wasm": "copy" },
    logLevel: "error",
  });
  const files = await readdir(outdir);
  const [main] = files.filter((name) => name.endsWith(".mjs"));
  const wasm = files.filter((name) => name.endsWith(".wasm"));
  const worker = new Miniflare({
    modulesRoot: outdir,
    modules: [
      { type: "ESModule", path: join(outdir, main) },
      ...wasm.map((name) => ({ type: "CompiledWasm", path: join(outdir, name) })),
    ],
    compatibilityDate: "2025-01-01",
    ...options,
  });
  const ask = (path, headers) => worker.dispatchFetch(`https://api.example${path}`, { headers });
  try {
    await use(ask, worker);
  } finally {
    await worker.dispose();
    await rm(outdir, { recursive: true });
  }
}
