import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { serveIssuer } from "./issuer.mjs";
import { runWorker } from "./workerd.mjs";

const folder = (name) => fileURLToPath(new URL(`../../examples/${name}/`, import.meta.url));

/** What both examples answer, asked by `ask(path, headers)`. */
async function assertAnswers(issuer, ask) {
  const status = async (path, claims) => {
    const headers = claims ? { authorization: await issuer.authorization(claims) } : {};
    return (await ask(path, headers)).status;
  };
  assert.equal(await status("/me"), 401);
  assert.equal(await status("/me", { exp: 1 }), 401);
  assert.equal(await status("/files/7", {}), 403);
  assert.equal(await status("/files/7", { scopes: ["read:files?owner=7"] }), 200);
  assert.equal(await status("/files/8", { scopes: ["read:files?owner=7"] }), 403);
  assert.equal(await status("/files/8", { scopes: ["read:files"] }), 200);
  const headers = { authorization: await issuer.authorization({ scopes: ["read:me"] }) };
  const answer = await (await ask("/me", headers)).json();
  assert.deepEqual([answer.sub, answer.scopes], ["user:1", ["read:me"]]);
}

test("the service on Node knows the callers of an issuer that it finds by itself", async (t) => {
  const { issuer } = await serveIssuer(t);
  const { issuer: ISSUER, audience: AUDIENCE } = issuer;
  const env = { ...process.env, ISSUER, AUDIENCE, PORT: "0" };
  const stdio = ["ignore", "pipe", "inherit"];
  const service = spawn(process.execPath, ["server.mjs"], {
    cwd: folder("node-service"),
    env,
    stdio,
  });
  t.after(() => service.kill());
  const [address] = await once(createInterface(service.stdout), "line");
  const ask = (path, headers, method = "GET") => fetch(address + path, { headers, method });
  await assertAnswers(issuer, ask);
  assert.equal(await (await ask("/", {})).text(), "hello, stranger\n");
  const claims = { roles: ["admin"], auth_time: Math.floor(Date.now() / 1000) };
  const admin = { authorization: await issuer.authorization(claims) };
  assert.equal((await ask("/files", admin, "DELETE")).status, 200);
  const earlier = {
    authorization: await issuer.authorization({ ...claims, auth_time: 1_700_000_000 }),
  };
  assert.equal((await ask("/files", earlier, "DELETE")).status, 401);
});

test("the edge worker knows callers, and leaves the keys for the next isolate", async (t) => {
  const { issuer, requests } = await serveIssuer(t);
  const kept = await mkdtemp(join(tmpdir(), "usso-worker-"));
  t.after(() => rm(kept, { recursive: true }));
  await withWorker(kept, issuer, async (ask, worker) => {
    await assertAnswers(issuer, ask);
    assert.equal((await ask("/nowhere", {})).status, 404);
    const namespace = await worker.getKVNamespace("KEYS");
    const isKept = async () => (await namespace.get(issuer.issuer, "arrayBuffer"))?.byteLength > 0;
    // It is done after an answer.
    for (let times = 0; !(await isKept()); times++) {
      assert.ok(times < 100, "the keys are not kept");
      await ask("/nowhere", {});
    }
  });
  const fetched = requests();
  assert.ok(fetched > 0);
  await withWorker(kept, issuer, async (ask) => {
    const headers = { authorization: await issuer.authorization() };
    assert.equal((await ask("/me", headers)).status, 200);
  });
  assert.equal(requests(), fetched);
});

/** Runs the worker with a KV namespace in the folder `kept`. */
function withWorker(kept, { issuer: ISSUER, audience: AUDIENCE }, use) {
  const entry = { entryPoints: [join(folder("worker"), "worker.mjs")] };
  const more = { bindings: { ISSUER, AUDIENCE }, kvNamespaces: ["KEYS"], kvPersist: kept };
  return runWorker(entry, more, use);
}
