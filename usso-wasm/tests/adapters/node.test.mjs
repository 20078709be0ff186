import assert from "node:assert/strict";
import test from "node:test";

import { createVerifier } from "usso";
import { usso } from "usso/express";

import { serveGuarded } from "./servers.mjs";
import { codeOf, exchange, world } from "./table.mjs";

test("a refusal is status, headers and body of the error, and nothing more", async (t) => {
  const { verifier } = await world();
  const refusal = await verifier
    .require({ method: "GET", target: "/me", headers: [] })
    .then(assert.fail, (error) => error.response);
  const port = await serveGuarded(t, [usso(verifier).require()], assert.fail);
  const answer = await exchange(port, "GET", "/me", []);
  const ofServer = ["date", "connection", "content-length"];
  const headers = answer.headers.filter(([name]) => !ofServer.includes(name));
  assert.equal(answer.status, refusal.status);
  assert.deepEqual(headers, refusal.headers);
  assert.equal(answer.body, refusal.body);
});

test("HEAD and OPTIONS are guarded as GET is", async (t) => {
  const { issuer, verifier } = await world();
  const reached = [];
  const port = await serveGuarded(t, [usso(verifier).require()], (req, res) => {
    reached.push(req.method);
    res.end("here");
  });
  const head = await exchange(port, "HEAD", "/me", []);
  assert.deepEqual([head.status, head.body], [401, ""]);
  assert.equal((await exchange(port, "OPTIONS", "/me", [])).status, 401);
  assert.deepEqual(reached, []);
  const headers = [["authorization", await issuer.authorization()]];
  assert.equal((await exchange(port, "HEAD", "/me", headers)).status, 200);
  assert.deepEqual(reached, ["HEAD"]);
});

test("what one verifier let in is nothing to another", async (t) => {
  const { issuer, verifier } = await world();
  const other = (await world()).verifier;
  const guards = [usso(verifier).require(), usso(other).require()];
  const port = await serveGuarded(t, guards, assert.fail);
  const headers = [["authorization", await issuer.authorization()]];
  const answer = await exchange(port, "GET", "/me", headers);
  assert.deepEqual([answer.status, codeOf(answer.body)], [401, "token.unknown_key"]);
});

test("a request that was changed is verified anew", async (t) => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const seen = [];
  const change = async (req, res, next) => {
    seen.push(req.user.sub);
    req.rawHeaders.splice(
      0,
      Infinity,
      "authorization",
      await issuer.authorization({ sub: "user:2" }),
    );
    next();
  };
  const port = await serveGuarded(t, [auth.require(), change, auth.require()], (req, res) => {
    res.end(`${seen}, ${req.user.sub}, ${auth.user(req).sub}`);
  });
  const headers = [["authorization", await issuer.authorization()]];
  assert.equal((await exchange(port, "GET", "/me", headers)).body, "user:1, user:2, user:2");
});

test("a second request on one connection gets its own verdict", async (t) => {
  const { issuer, verifier } = await world();
  const port = await serveGuarded(t, [usso(verifier).optional()], (req, res) => {
    res.end(req.user?.sub ?? "nobody");
  });
  const address = `http://127.0.0.1:${port}/`;
  const ask = async (headers) => (await fetch(address, { headers })).text();
  assert.equal(await ask({ authorization: await issuer.authorization() }), "user:1");
  assert.equal(await ask({}), "nobody");
  assert.equal(
    await ask({ authorization: await issuer.authorization({ sub: "user:2" }) }),
    "user:2",
  );
});

test("an answer that a cookie opened is private, unless the app says otherwise", async (t) => {
  const { issuer, verifier } = await world();
  const cookie = [["cookie", `usso-access-token=${await issuer.mint()}`]];
  const answers = {
    "/plain": (res) => res.end(),
    "/set": (res) => res.setHeader("Cache-Control", "no-store").end(),
    "/written": (res) => res.writeHead(200, { "Cache-Control": "max-age=5" }).end(),
    "/flat": (res) =>
      res.writeHead(200, ["Cache-Control", "max-age=6", "X-A", "1", "X-A", "2"]).end(),
    "/pairs": (res) =>
      res
        .writeHead(200, "Fine", [
          ["x-a", "1"],
          ["x-a", "2"],
        ])
        .end(),
    "/early": (res) => res.flushHeaders() ?? res.end(),
  };
  const port = await serveGuarded(t, [usso(verifier).require()], (req, res) =>
    answers[req.url](res),
  );
  const caches = {};
  for (const path of Object.keys(answers)) {
    const answer = await exchange(port, "GET", path, cookie);
    caches[path] = [...answer.all("cache-control"), ...answer.all("x-a")];
  }
  assert.deepEqual(caches, {
    "/plain": ["private"],
    "/set": ["no-store"],
    "/written": ["max-age=5"],
    "/flat": ["max-age=6", "1", "2"],
    "/pairs": ["private", "1", "2"],
    "/early": ["private"],
  });
  const header = [["authorization", await issuer.authorization()]];
  assert.deepEqual((await exchange(port, "GET", "/plain", header)).all("cache-control"), []);
});

test("`Vary` is added to that of the app, once however many guards there are", async (t) => {
  const { verifier } = await world();
  const auth = usso(verifier);
  const guards = [auth.optional(), auth.optional()];
  const answers = {
    "/plain": (res) => res.end(),
    "/set": (res) => res.setHeader("Vary", "Accept, Cookie").end(),
    "/written": (res) => res.writeHead(200, { vary: "accept-encoding" }).end(),
    "/star": (res) => res.setHeader("vary", "*").end(),
  };
  const port = await serveGuarded(t, guards, (req, res) => answers[req.url](res));
  const vary = {};
  for (const path of Object.keys(answers))
    vary[path] = (await exchange(port, "GET", path, [])).all("vary");
  assert.deepEqual(vary, {
    "/plain": ["authorization, cookie, x-api-key"],
    "/set": ["Accept, Cookie, authorization, x-api-key"],
    "/written": ["accept-encoding, authorization, cookie, x-api-key"],
    "/star": ["*"],
  });
});

test("headers that others set stay on a refusal, except those that it has itself", async (t) => {
  const { verifier } = await world();
  const before = (req, res, next) => {
    res.setHeader("access-control-allow-origin", "https://app.example");
    res.setHeader("cache-control", "public, max-age=600");
    next();
  };
  const port = await serveGuarded(t, [before, usso(verifier).require()], assert.fail);
  const answer = await exchange(port, "GET", "/me", []);
  assert.deepEqual(answer.all("access-control-allow-origin"), ["https://app.example"]);
  assert.deepEqual(answer.all("cache-control"), ["no-store"]);
});

test("while keys cannot be had nobody is let in, also where strangers may pass", async (t) => {
  const { issuer } = await world();
  const fetch = () => Promise.reject(new Error("down"));
  const verifier = createVerifier({ issuer: issuer.issuer, audience: issuer.audience, fetch });
  const port = await serveGuarded(t, [usso(verifier).optional()], assert.fail);
  const headers = [["authorization", await issuer.authorization()]];
  const answer = await exchange(port, "GET", "/me", headers);
  assert.deepEqual([answer.status, codeOf(answer.body)], [503, "token.keys_unavailable"]);
  assert.notEqual(answer.all("retry-after").length, 0);
});

test("a failure of the verifier itself lets nobody in", async (t) => {
  const { issuer } = await world();
  const failures = [
    { authenticate: async () => Promise.reject(new Error("a secret")), check: (user) => user },
    {
      authenticate: () => {
        throw new Error("a secret");
      },
      check: (user) => user,
    },
    {
      authenticate: async () => ({}),
      check: () => {
        throw new TypeError("a secret");
      },
    },
    {
      authenticate: async () => ({}),
      check: (user) => user,
      responseHeaders: () => {
        throw 1;
      },
    },
  ];
  for (const verifier of failures) {
    const port = await serveGuarded(t, [usso(verifier).require()], assert.fail);
    const answer = await exchange(port, "GET", "/me", [
      ["authorization", await issuer.authorization()],
    ]);
    assert.deepEqual([answer.status, codeOf(answer.body)], [503, "access.unavailable"]);
    assert.ok(!answer.body.includes("secret"));
  }
});

test("a rule about a part of the path that is not there lets nobody in", async (t) => {
  const { issuer, verifier } = await world();
  const headers = [["authorization", await issuer.authorization({ scopes: ["manage:users"] })]];
  const port = await serveGuarded(t, [usso(verifier).require({ workspace: "{id}" })], assert.fail);
  const answer = await exchange(port, "GET", "/me", headers);
  assert.deepEqual([answer.status, codeOf(answer.body)], [500, "guard.path_parameter"]);
});
