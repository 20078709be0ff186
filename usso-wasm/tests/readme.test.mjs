// The program of the README, as it is there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createTestIssuer } from "usso/testing";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("the program of the README verifies its callers", { timeout: 60_000 }, async (t) => {
  const issuer = await createTestIssuer();
  const keys = createServer((_request, response) => response.end(JSON.stringify(issuer.jwks)));
  keys.listen(0, "127.0.0.1");
  await once(keys, "listening");
  t.after(() => keys.close());

  const jwksUrl = `http://127.0.0.1:${keys.address().port}/jwks`;
  const [, program] = /```js\n(import express.*?)```/s.exec(readme);
  const settings = `issuer: "${issuer.issuer}", audience: "${issuer.audience}", jwksUrl: "${jwksUrl}",`;
  const told = "const server = app.listen(0, () => console.log(server.address().port));";
  const folder = mkdtempSync(join(tmpdir(), "usso-readme-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const edited = program
    .replace(/createVerifier\(\{.*?\}\)/s, `createVerifier({ ${settings} })`)
    .replace("app.listen(3000);", told);
  assert.ok(edited.includes(jwksUrl) && edited.includes(told), "the README is another one");
  writeFileSync(join(folder, "program.mjs"), edited);
  symlinkSync(new URL("../node_modules", import.meta.url).pathname, join(folder, "node_modules"));

  const service = spawn(process.execPath, ["program.mjs"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => service.kill());
  const [port] = await once(service.stdout, "data");
  const ask = async (path, claims) => {
    const authorization = claims && (await issuer.authorization(claims));
    const headers = authorization ? { authorization } : {};
    const response = await fetch(`http://127.0.0.1:${Number(port)}${path}`, { headers });
    return `${response.status} ${await response.text()}`;
  };
  assert.match(await ask("/me"), /^401 .*access\.token_missing/);
  assert.equal(await ask("/me", {}), "200 user:1");
  assert.match(await ask("/files/7", { scopes: ["read:files?owner=8"] }), /^403 /);
  assert.equal(await ask("/files/7", { scopes: ["read:files?owner=7"] }), "200 files");
});
