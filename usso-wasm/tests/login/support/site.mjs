/** A site on this machine: the package, pages of tests, and an API that notes its callers. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

export const PACKAGE = new URL(".", import.meta.resolve("usso/package.json"));

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

const PAGE = `<!doctype html><title>page</title><script type="module">
  import * as login from "/usso/login.js";
  const { pathname, searchParams } = new URL(location);
  const options = JSON.parse(searchParams.get("options"));
  window.login = login;
  window.changes = [];
  window.session = login.createSession(options);
  session.subscribe((user, change) => changes.push([change, user?.sub]));
  window.ready = true;
</script>`;

/** Listens on a free port of this machine. */
export async function listen(handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A test that fails may leave it open.
  server.unref();
  const { port } = server.address();
  return {
    port,
    origin: (host) => `http://${host}:${port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `pages`: more answers by path: `{ type, body, headers }`, or functions of request, response. */
export async function openSite(pages = {}) {
  const site = { calls: [], pages };
  const served = await listen(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const page = pages[pathname];
    if (typeof page === "function") return page(request, response);
    if (pathname.startsWith("/api/")) return api(site, request, response);
    try {
      const { type, body, headers } = page ?? (await file(pathname));
      response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...headers });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return Object.assign(site, served);
}

async function file(pathname) {
  if (pathname === "/page") return { type: TYPES[".html"], body: PAGE };
  const type = TYPES[extname(pathname)];
  if (!pathname.startsWith("/usso/") || type === undefined) throw new Error("not found");
  return { type, body: await readFile(new URL(`.${pathname.slice(5)}`, PACKAGE)) };
}

/** Answers with what `site.next` holds, else 200, to any origin. */
async function api(site, request, response) {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { method, url, headers } = request;
  const allowed = {
    "access-control-allow-origin": headers.origin ?? "*",
    "access-control-allow-credentials": "true",
    "access-control-allow-headers": "authorization, content-type, accept",
    "access-control-allow-methods": "GET, POST, PUT",
  };
  if (method === "OPTIONS") return response.writeHead(204, allowed).end();
  site.calls.push({ method, url, authorization: headers.authorization, body });
  const { status = 200, headers: more = {} } = site.next?.shift() ?? {};
  response.writeHead(status, { ...allowed, ...more, "content-type": "application/json" });
  response.end(JSON.stringify({ body, authorization: headers.authorization ?? null }));
}
