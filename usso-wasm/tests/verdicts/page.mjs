/** The package in a real browser, served as it is installed. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { launch } from "../browser.mjs";

const PACKAGE = dirname(fileURLToPath(import.meta.resolve("usso/package.json")));
const HERE = dirname(fileURLToPath(import.meta.url));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

/**
 * Calls `use` with a page on whose origin `/usso/` is the package, `/tests/` this folder, and `more`
 * has other paths.
 */
export async function withPage(use, more = {}) {
  const browser = await launch();
  const server = createServer((request, response) => serve(request, response, more));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await use(page);
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

async function serve(request, response, more) {
  const path = normalize(new URL(request.url, "http://-").pathname);
  const [, folder, ...rest] = path.split("/");
  if (path in more) {
    response.setHeader("content-type", more[path].type);
    return response.end(more[path].body);
  }
  if (path === "/") {
    response.setHeader("content-type", "text/html");
    return response.end("<!doctype html><title>usso</title>");
  }
  try {
    const root = { usso: PACKAGE, tests: HERE }[folder];
    const body = await readFile(join(root, ...rest));
    response.setHeader("content-type", TYPES[/\.\w+$/.exec(path)[0]]);
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}
