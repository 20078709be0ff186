/** Serves the page, the package and an API that only callers with a good token get an answer of. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

import { createVerifier, UssoError } from "usso";

const { ISSUER = "http://localhost:8000", PORT = "8080", SYSTEM_PASSWORD } = process.env;
const HERE = new URL(".", import.meta.url);
const PACKAGE = new URL(".", import.meta.resolve("usso/package.json"));
const PAGE = ["/index.html", "/app.mjs", "/style.css"];
const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
};
const HEADERS = {
  "content-security-policy":
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; ` +
    `connect-src 'self' ${ISSUER}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const verifier = createVerifier({ issuer: ISSUER, audience: ISSUER });

async function whoami({ method, url: target, rawHeaders: headers }, response) {
  try {
    const { sub, roles } = await verifier.require({ method, target, headers });
    response.writeHead(200, { "content-type": "application/json", "cache-control": "private" });
    response.end(JSON.stringify({ sub, roles }, undefined, 2));
  } catch (error) {
    const { response: refused } = error instanceof UssoError ? error : { response: FAILED };
    response.writeHead(refused.status, refused.headers.flat()).end(refused.body);
  }
}

async function file(path, response) {
  const isPackage = path.startsWith("/usso/");
  const type = TYPES[extname(path)];
  const isKnown = isPackage ? type !== undefined : PAGE.includes(path);
  if (!isKnown) throw new Error("not found");
  const from = isPackage ? new URL(`.${path.slice(5)}`, PACKAGE) : new URL(`.${path}`, HERE);
  const body = await readFile(from);
  response.writeHead(200, { "content-type": `${type}; charset=utf-8`, ...HEADERS }).end(body);
}

const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/api/whoami") return await whoami(request, response);
    if (pathname === "/settings.mjs") {
      response.writeHead(200, { "content-type": TYPES[".mjs"], ...HEADERS });
      return response.end(`export const server = ${JSON.stringify(ISSUER)};\n`);
    }
    await file(pathname === "/" ? "/index.html" : pathname, response);
  } catch {
    response.writeHead(404).end();
  }
});

/** Lets pages of this origin call the reference server, as its administrator does. */
async function allow(origin) {
  const api = `${ISSUER}/api/sso/v1`;
  const ask = async (method, path, body, token) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    if (token === undefined) delete headers.authorization;
    const answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const admin = { identifier: "admin@localhost", secret: SYSTEM_PASSWORD };
  const { access_token: token } = await ask("POST", "/auth/login", admin);
  const [tenant] = (await ask("GET", "/tenants", undefined, token)).items;
  const origins = new Set([...tenant.settings.allowed_origins, origin]);
  const settings = { allowed_origins: [...origins] };
  await ask("PATCH", `/tenants/${tenant.id}`, { settings }, token);
}

const FAILED = { status: 503, headers: [], body: "" };

server.listen(Number(PORT), "127.0.0.1", async () => {
  const origin = `http://localhost:${server.address().port}`;
  try {
    if (SYSTEM_PASSWORD !== undefined) await allow(origin);
  } catch (error) {
    console.error(`${ISSUER} does not let this page call it: ${error.message}; is it running?`);
  }
  console.log(origin);
});
