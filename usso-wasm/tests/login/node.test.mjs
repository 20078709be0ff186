import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";

import { createSession } from "usso/login";

import { openGate } from "./support/gate.mjs";
import { startServer } from "./support/server.mjs";
import { openSite } from "./support/site.mjs";

const w = {};
before(async () => {
  w.server = await startServer();
  w.site = await openSite();
  w.gate = await openGate(w.server);
  w.alice = await w.server.user("alice");
});
after(() => Promise.all([w.server, w.site, w.gate].map((part) => part.stop())));

const MINUTE = 60_000;

test("a program that renders pages may make a session, and ends by itself", () => {
  const program = 'import { createSession } from "usso/login"; ' +
    'const s = createSession({ server: "https://sso.example.com" }); ' +
    "console.log(s.status, s.user);";
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname, encoding: "utf8", timeout: 10_000,
  });
  assert.deepEqual([ended.stdout, ended.stderr], ["unknown undefined\n", ""]);
});

test("a body that is a stream is sent once", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const apiOrigins = [w.site.origin("localhost")];
  const session = createSession({ server: w.gate.base, apiOrigins });
  const { identifier, secret } = w.alice;
  await session.signIn({ identifier, secret });
  t.mock.timers.tick(MINUTE);
  w.site.next = [{ status: 401 }];
  const body = new Blob(["streamed"]).stream();
  const init = { method: "POST", body, duplex: "half" };
  const response = await session.fetch(`${apiOrigins[0]}/api/a`, init);
  assert.equal(response.status, 401);
  assert.deepEqual(w.site.calls.map(({ body }) => body), ["streamed"]);
  assert.equal(w.gate.count("/auth/refresh"), 0);
  session.close();
});
