import assert from "node:assert/strict";
import test from "node:test";

import fastify from "fastify";
import { usso } from "usso/fastify";

import { CLAIMS, codeOf, differences, exchange, world } from "./table.mjs";

/** Serves what `routes` adds to an app; gives the port. */
async function serve(t, routes, options = {}) {
  const app = fastify(options);
  await routes(app);
  await app.listen({ port: 0, host: "127.0.0.1" });
  t.after(() => app.close());
  return app.server.address().port;
}

for (const place of ["onRequest", "preHandler"]) {
  test(`Fastify answers as the table says, with guards in ${place}`, async (t) => {
    const everything = await world();
    const auth = usso(everything.verifier);
    const sub = (request) => request.user.sub;
    const port = await serve(t, async (app) => {
      await app.register(auth.plugin);
      const behind = (wanted) => ({ [place]: auth.require(...wanted) });
      const route = (url, ...wanted) => app.get(url, behind(wanted), sub);
      app.all("/me", behind([]), sub);
      app.get("/maybe", { [place]: auth.optional() }, (request) => request.user?.sub ?? "nobody");
      app.get("/claims", behind([]), (request, reply) => {
        const { color } = request.user.claims;
        return reply.code(color === undefined ? 403 : 200).send(color ?? "no color");
      });
      route("/files", "read:files");
      route("/users/:id", "read:users?user_id={id}");
      route("/policy/:id", { scope: ["read:users?user_id={id}"] });
      route("/admin", { role: "admin" });
      route("/machine", { service: true });
      route("/w/:workspace/notes", { workspace: "{workspace}" });
      route("/t/:tenant/notes", { tenant: "{tenant}" });
      route("/payments", { maxAge: 300 });
      app.get("/panic", behind([]), () => {
        throw new Error("of the app");
      });
    });
    assert.deepEqual(await differences(port, everything, CLAIMS), []);
  });
}

test("a refusal is status, headers and body of the error, and nothing more", async (t) => {
  const { verifier } = await world();
  const refusal = await verifier
    .require({ method: "GET", target: "/me", headers: [] })
    .then(assert.fail, (error) => error.response);
  const port = await serve(t, (app) => {
    app.get("/me", { onRequest: usso(verifier).require() }, assert.fail);
  });
  const answer = await exchange(port, "GET", "/me", []);
  const ofServer = ["date", "connection", "content-length"];
  const headers = answer.headers.filter(([name]) => !ofServer.includes(name));
  assert.equal(answer.status, refusal.status);
  assert.deepEqual(headers, refusal.headers);
  assert.equal(answer.body, refusal.body);
  const head = await exchange(port, "HEAD", "/me", []);
  assert.deepEqual([head.status, head.body], [401, ""]);
});

test("hooks and routes take one proof, of the address that the client sent", async (t) => {
  const { issuer, verifier, prover } = await world();
  const auth = usso(verifier);
  const rewriteUrl = (request) => request.url.replace("/public", "");
  const routes = (app) => {
    app.addHook("onRequest", auth.require());
    const guards = [usso(verifier).require(), auth.optional()];
    app.get("/me", { preHandler: guards }, (request) => auth.user(request).sub);
  };
  const port = await serve(t, routes, { rewriteUrl });
  const token = await issuer.mint({ cnf: { jkt: prover.jkt } });
  const proof = await prover.proof("GET", "/public/me", token);
  const headers = [
    ["authorization", `DPoP ${token}`],
    ["dpop", proof],
  ];
  assert.equal((await exchange(port, "GET", "/public/me", headers)).body, "user:1");
  assert.equal(codeOf((await exchange(port, "GET", "/public/me", headers)).body), "dpop.replayed");
});

test("a hook guards what is not found, and a body is not read before the verdict", async (t) => {
  const { verifier } = await world();
  const port = await serve(t, (app) => {
    app.addHook("onRequest", usso(verifier).require());
    app.addHook("preParsing", assert.fail);
    app.post("/me", assert.fail);
  });
  assert.equal((await exchange(port, "GET", "/nowhere", [])).status, 401);
  assert.equal((await exchange(port, "OPTIONS", "/me", [])).status, 401);
  const json = [["content-type", "application/json"]];
  assert.equal((await exchange(port, "POST", "/me", json, "{")).status, 401);
});

test("the headers for caches are added, also where handlers write them raw", async (t) => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const port = await serve(t, (app) => {
    app.get("/plain", { onRequest: auth.optional() }, () => ({}));
    app.get("/own", { onRequest: auth.optional() }, (request, reply) => {
      return reply.headers({ "cache-control": "no-store", vary: "accept" }).send("x");
    });
    app.get("/raw", { onRequest: auth.optional() }, (request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { vary: "accept" }).end();
    });
    app.get("/failed", { onRequest: auth.optional() }, async () => Promise.reject(new Error("x")));
  });
  const cookie = [["cookie", `usso-access-token=${await issuer.mint()}`]];
  const ask = async (path) => {
    const answer = await exchange(port, "GET", path, cookie);
    return [answer.all("cache-control"), answer.all("vary")];
  };
  const vary = "authorization, cookie, x-api-key";
  assert.deepEqual(await ask("/plain"), [["private"], [vary]]);
  assert.deepEqual(await ask("/own"), [["no-store"], [`accept, ${vary}`]]);
  assert.deepEqual(await ask("/raw"), [["private"], [`accept, ${vary}`]]);
  assert.deepEqual(await ask("/failed"), [["private"], [vary]]);
});

test("a failure of the verifier itself lets nobody in", async (t) => {
  const verifier = { authenticate: async () => Promise.reject(new Error("a secret")) };
  const port = await serve(t, (app) => {
    app.get("/me", { onRequest: usso(verifier).optional() }, assert.fail);
  });
  const answer = await exchange(port, "GET", "/me", []);
  assert.deepEqual([answer.status, codeOf(answer.body)], [503, "access.unavailable"]);
});

test("the error handler answers the refusals of handlers, and nothing else", async (t) => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const port = await serve(t, (app) => {
    app.setErrorHandler(auth.onError);
    app.addHook("onRequest", auth.require());
    app.get("/refused", async (request) => verifier.check(request.user, { role: "admin" }));
    app.get("/failed", async () => Promise.reject(new Error("of the app")));
  });
  const headers = [["authorization", await issuer.authorization()]];
  const refused = await exchange(port, "GET", "/refused", headers);
  assert.deepEqual([refused.status, codeOf(refused.body)], [403, "access.role"]);
  const failed = await exchange(port, "GET", "/failed", headers);
  assert.deepEqual([failed.status, JSON.parse(failed.body).message], [500, "of the app"]);
});

test("rules that are none are refused when the route is made", async () => {
  const auth = usso((await world()).verifier);
  for (const wanted of ["raed:files", undefined, {}.scope, { scopes: "read:files" }, []]) {
    assert.throws(() => auth.require(wanted), { code: "config.invalid" });
  }
  assert.throws(() => usso(undefined), { code: "config.invalid" });
});

test("two plugins, or one of another library, share the place of the caller", async (t) => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const port = await serve(t, async (app) => {
    await app.register(auth.plugin);
    await app.register(usso(verifier).plugin);
    assert.ok(app.hasRequestDecorator("user"));
    app.get("/me", { onRequest: auth.require() }, (request) => request.user.sub);
  });
  const headers = [["authorization", await issuer.authorization()]];
  assert.equal((await exchange(port, "GET", "/me", headers)).body, "user:1");
});
