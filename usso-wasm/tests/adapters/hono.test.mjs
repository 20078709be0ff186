import assert from "node:assert/strict";
import test from "node:test";

import { Hono } from "hono";
import { createVerifier } from "usso";
import { usso } from "usso/hono";

import { serveFetch } from "./servers.mjs";
import { codeOf, differences, exchange, FETCH, world } from "./table.mjs";

test("Hono answers as the table says", async (t) => {
  const everything = await world();
  const auth = usso(everything.verifier);
  const app = new Hono();
  const sub = (c) => c.text(c.get("user").sub);
  app.all("/me", auth.require(), sub);
  app.get("/maybe", auth.optional(), (c) => c.text(c.get("user")?.sub ?? "nobody"));
  app.get("/claims", auth.require(), (c) => {
    const { color } = c.get("user").claims;
    return c.text(color ?? "no color", color === undefined ? 403 : 200);
  });
  app.get("/files", auth.require("read:files"), sub);
  app.get("/users/:id", auth.require("read:users?user_id={id}"), sub);
  app.get("/policy/:id", auth.require({ scope: ["read:users?user_id={id}"] }), sub);
  app.get("/admin", auth.require({ role: "admin" }), sub);
  app.get("/machine", auth.require({ service: true }), sub);
  app.get("/w/:workspace/notes", auth.require({ workspace: "{workspace}" }), sub);
  app.get("/t/:tenant/notes", auth.require({ tenant: "{tenant}" }), sub);
  app.get("/payments", auth.require({ maxAge: 300 }), sub);
  app.get("/panic", auth.require(), () => {
    throw new Error("of the app");
  });
  app.onError((error, c) => c.text("failed", 500));
  const port = await serveFetch(t, app.fetch);
  assert.deepEqual(await differences(port, everything, FETCH), []);
});

test("guards of the app, of a sub-app and of a route take one proof", async (t) => {
  const { issuer, verifier, prover } = await world();
  const auth = usso(verifier);
  const api = new Hono().use(usso(verifier).require());
  api.get("/me", auth.require(), auth.optional(), (c) => c.text(auth.user(c).sub));
  const app = new Hono().use("*", auth.require()).route("/api", api);
  const port = await serveFetch(t, app.fetch);
  const token = await issuer.mint({ cnf: { jkt: prover.jkt } });
  const proof = await prover.proof("GET", "/api/me", token);
  const headers = [
    ["authorization", `DPoP ${token}`],
    ["dpop", proof],
  ];
  assert.equal((await exchange(port, "GET", "/api/me", headers)).body, "user:1");
  assert.equal(codeOf((await exchange(port, "GET", "/api/me", headers)).body), "dpop.replayed");
});

test("what one verifier let in is nothing to another, nor to a changed request", async () => {
  const [{ issuer, verifier }, other] = [await world(), await world()];
  const authorization = await issuer.authorization();
  const change = async (c, next) => {
    c.req.raw = new Request(c.req.raw, { headers: {} });
    await next();
  };
  const [one, two] = [usso(verifier).require(), usso(other.verifier).require()];
  const app = new Hono()
    .get("/both", one, two, assert.fail)
    .get("/changed", one, change, one, assert.fail);
  assert.equal((await app.request("/both", { headers: { authorization } })).status, 401);
  assert.equal((await app.request("/changed", { headers: { authorization } })).status, 401);
});

test("a refusal is status, headers and body of the error, whatever others set before", async () => {
  const { verifier } = await world();
  const refusal = await verifier
    .require({ method: "GET", target: "/me", headers: [] })
    .then(assert.fail, (error) => error.response);
  const app = new Hono();
  app.use(async (c, next) => {
    c.res.headers.set("cache-control", "public, max-age=600");
    c.header("access-control-allow-origin", "*");
    await next();
  });
  app.use(usso(verifier).require());
  app.get("/me", assert.fail);
  const answer = await app.request("/me");
  assert.equal(answer.status, refusal.status);
  const expected = new Headers([...refusal.headers, ["access-control-allow-origin", "*"]]);
  assert.deepEqual([...answer.headers], [...expected]);
  assert.equal(await answer.text(), refusal.body);
});

test("HEAD, OPTIONS, what is not found and WebSockets are guarded as GET is", async () => {
  const { issuer, verifier } = await world();
  const app = new Hono().use(usso(verifier).require());
  app.all("/me", (c) => c.text("here"));
  for (const method of ["HEAD", "OPTIONS", "DELETE"]) {
    assert.equal((await app.request("/me", { method })).status, 401);
  }
  assert.equal((await app.request("/nowhere")).status, 401);
  const cookie = `usso-access-token=${await issuer.mint()}`;
  const upgrade = { cookie, upgrade: "websocket" };
  assert.equal((await app.request("/me", { headers: upgrade })).status, 403);
  const allowed = { ...upgrade, origin: "https://app.example" };
  assert.equal((await app.request("/me", { headers: allowed })).status, 200);
});

test("the headers for caches are added, also to answers that cannot be changed", async () => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const app = new Hono().use(auth.optional());
  app.get("/plain", (c) => c.text("x"));
  app.get("/own", (c) => c.text("x", 200, { "cache-control": "no-store", vary: "accept" }));
  app.get("/fixed", () => Response.redirect("https://app.example/"));
  app.get("/failed", () => Promise.reject(new Error("of the app")));
  app.get("/error", () => Response.error());
  app.onError((error, c) => c.text("failed", 500));
  const headers = { cookie: `usso-access-token=${await issuer.mint()}` };
  const ask = async (path) => {
    const answer = await app.request(path, { headers });
    return [answer.status, answer.headers.get("cache-control"), answer.headers.get("vary")];
  };
  const vary = "authorization, cookie, x-api-key";
  assert.deepEqual(await ask("/plain"), [200, "private", vary]);
  assert.deepEqual(await ask("/own"), [200, "no-store", `accept, ${vary}`]);
  assert.deepEqual(await ask("/fixed"), [302, "private", vary]);
  assert.deepEqual(await ask("/failed"), [500, "private", vary]);
  assert.deepEqual(await ask("/error"), [0, null, null]);
  assert.deepEqual(await ask("/nowhere"), [404, "private", vary]);
});

test("keys that are fetched outlive a client who left, by `waitUntil`", async () => {
  const { issuer } = await world();
  const { issuer: name, audience, fetch } = issuer;
  const verifier = createVerifier({ issuer: name, audience, fetch });
  const app = new Hono().get("/me", usso(verifier).require(), (c) => c.text(c.get("user").sub));
  const kept = [];
  const context = { waitUntil: (work) => kept.push(work), passThroughOnException() {} };
  const request = new Request("https://api.example/me", {
    headers: { authorization: await issuer.authorization() },
  });
  assert.equal(await (await app.fetch(request, {}, context)).text(), "user:1");
  assert.ok(kept.length > 0);
});

test("a failure of the verifier itself lets nobody in", async () => {
  const verifier = { authenticate: async () => Promise.reject(new Error("a secret")) };
  const app = new Hono().get("/me", usso(verifier).optional(), assert.fail);
  const answer = await app.request("/me");
  assert.deepEqual([answer.status, codeOf(await answer.text())], [503, "access.unavailable"]);
});

test("the refusals of handlers are answered by `onError`", async () => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const app = new Hono().onError(auth.onError);
  app.get("/me", auth.require(), (c) => {
    verifier.check(c.get("user"), { role: "admin" });
    assert.fail();
  });
  const answer = await app.request("/me", {
    headers: { authorization: await issuer.authorization() },
  });
  assert.deepEqual([answer.status, codeOf(await answer.text())], [403, "access.role"]);
});

test("rules that are none are refused when the route is made", async () => {
  const auth = usso((await world()).verifier);
  for (const wanted of ["raed:files", undefined, { scopes: "read:files" }, []]) {
    assert.throws(() => auth.require(wanted), { code: "config.invalid" });
  }
  assert.throws(() => usso(undefined), { code: "config.invalid" });
});
