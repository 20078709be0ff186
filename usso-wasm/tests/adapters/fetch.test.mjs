import assert from "node:assert/strict";
import test from "node:test";

import { createVerifier } from "usso";
import { usso } from "usso/fetch";

import { serveFetch } from "./servers.mjs";
import { codeOf, differences, exchange, FETCH, world } from "./table.mjs";

test("a wrapped handler answers as the table says", async (t) => {
  const everything = await world();
  const auth = usso(everything.verifier);
  const sub = (user) => new Response(user.sub);
  const routes = [];
  const route = (path, wanted, handler = sub) => {
    const pattern = new RegExp(`^${path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
    const params = (request) => {
      const { groups } = pattern.exec(new URL(request.url).pathname);
      return Object.fromEntries(
        Object.entries(groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
      );
    };
    const guard = wanted === "optional" ? auth.optional() : auth.params(params).require(...wanted);
    routes.push([pattern, guard(handler)]);
  };
  route("/me", []);
  route("/maybe", "optional", (user) => new Response(user?.sub ?? "nobody"));
  route(
    "/claims",
    [],
    ({ claims: { color } }) => new Response(color, { status: color ? 200 : 403 }),
  );
  route("/files", ["read:files"]);
  route("/users/{id}", ["read:users?user_id={id}"]);
  route("/policy/{id}", [{ scope: ["read:users?user_id={id}"] }]);
  route("/admin", [{ role: "admin" }]);
  route("/machine", [{ service: true }]);
  route("/w/{workspace}/notes", [{ workspace: "{workspace}" }]);
  route("/t/{tenant}/notes", [{ tenant: "{tenant}" }]);
  route("/payments", [{ maxAge: 300 }]);
  route("/panic", [], () => {
    throw new Error("of the app");
  });
  const port = await serveFetch(t, async (request) => {
    const { pathname } = new URL(request.url);
    const found = routes.find(([pattern]) => pattern.test(pathname));
    try {
      return await (found?.[1](request) ?? new Response(null, { status: 404 }));
    } catch {
      return new Response(null, { status: 500 });
    }
  });
  assert.deepEqual(await differences(port, everything, FETCH), []);
});

const address = "https://api.example/me";

test("the handler gets the caller, and all that the server gave", async () => {
  const { issuer, verifier } = await world();
  const got = [];
  const handler = usso(verifier).require()((...given) => {
    got.push(...given);
    return new Response("here");
  });
  const request = new Request(address, {
    headers: { authorization: await issuer.authorization() },
  });
  const [env, ctx] = [{ KEYS: {} }, { waitUntil() {} }];
  assert.equal(await (await handler(request, env, ctx)).text(), "here");
  assert.equal(got[0].sub, "user:1");
  assert.deepEqual(got.slice(1), [request, env, ctx]);
});

test("keys that are fetched outlive a client who left, by `waitUntil`", async () => {
  const { issuer } = await world();
  const { issuer: name, audience, fetch } = issuer;
  const verifier = createVerifier({ issuer: name, audience, fetch });
  const kept = [];
  const ctx = { waitUntil: (work) => kept.push(work) };
  const handler = usso(verifier).require()(() => new Response("here"));
  const headers = { authorization: await issuer.authorization() };
  assert.equal((await handler(new Request(address, { headers }), {}, ctx)).status, 200);
  assert.ok(kept.length > 0);
  assert.ok(kept.every((work) => work instanceof Promise));
});

test("two guards around one handler take one proof; another request is verified", async () => {
  const { issuer, verifier, prover } = await world();
  const auth = usso(verifier);
  const inner = usso(verifier).require()((user) => new Response(user.sub));
  const handler = auth.require()((_user, request) => inner(request));
  const token = await issuer.mint({ cnf: { jkt: prover.jkt } });
  const headers = { authorization: `DPoP ${token}`, dpop: await prover.proof("GET", "/me", token) };
  assert.equal(await (await handler(new Request(address, { headers }))).text(), "user:1");
  const replayed = await handler(new Request(address, { headers }));
  assert.equal(codeOf(await replayed.text()), "dpop.replayed");
  const stranger = auth.require()((_user, request) => inner(new Request(request, { headers: {} })));
  const authorization = await issuer.authorization();
  assert.equal((await stranger(new Request(address, { headers: { authorization } }))).status, 401);
});

test("what one verifier let in is nothing to another", async () => {
  const [{ issuer, verifier }, other] = [await world(), await world()];
  const inner = usso(other.verifier).require()(assert.fail);
  const handler = usso(verifier).require()((_user, request) => inner(request));
  const headers = { authorization: await issuer.authorization() };
  assert.equal((await handler(new Request(address, { headers }))).status, 401);
});

test("a refusal is status, headers and body of the error; for HEAD without the body", async () => {
  const { verifier } = await world();
  const refusal = await verifier
    .require(new Request(address))
    .then(assert.fail, (error) => error.response);
  const handler = usso(verifier).require()(assert.fail);
  const answer = await handler(new Request(address));
  assert.equal(answer.status, refusal.status);
  assert.deepEqual([...answer.headers], [...new Headers(refusal.headers)]);
  assert.equal(await answer.text(), refusal.body);
  for (const method of ["HEAD", "OPTIONS"]) {
    const other = await handler(new Request(address, { method }));
    assert.equal(other.status, 401);
    assert.equal(other.body === null, method === "HEAD");
  }
});

test("an upgrade by cookie is let in only from an allowed page", async () => {
  const { issuer, verifier } = await world();
  const handler = usso(verifier).require()(() => new Response("here"));
  const upgrade = { cookie: `usso-access-token=${await issuer.mint()}`, upgrade: "websocket" };
  assert.equal((await handler(new Request(address, { headers: upgrade }))).status, 403);
  const allowed = { ...upgrade, origin: "https://app.example" };
  assert.equal((await handler(new Request(address, { headers: allowed }))).status, 200);
});

test("two origins are refused, though `Request` joins them", async (t) => {
  const { issuer, verifier } = await world();
  const handler = usso(verifier).require()(assert.fail);
  const port = await serveFetch(t, handler);
  const headers = [
    ["cookie", `usso-access-token=${await issuer.mint()}`],
    ["sec-fetch-site", "same-origin"],
    ["origin", "https://api.example"],
    ["origin", "https://evil.example"],
  ];
  assert.equal((await exchange(port, "POST", "/me", headers)).status, 403);
});

test("the headers for caches are added to a copy, and those of the app count", async () => {
  const { issuer, verifier } = await world();
  const headers = { cookie: `usso-access-token=${await issuer.mint()}` };
  const ask = async (answer) => {
    const handler = usso(verifier).optional()(() => answer);
    const { headers: added, status } = await handler(new Request(address, { headers }));
    return [status, added.get("cache-control"), added.get("vary")];
  };
  const vary = "authorization, cookie, x-api-key";
  const shared = new Response(null, { status: 204 });
  assert.deepEqual(await ask(shared), [204, "private", vary]);
  assert.deepEqual([...shared.headers], []);
  const own = new Response("x", {
    headers: { "cache-control": "no-store", vary: "Accept, Cookie" },
  });
  assert.deepEqual(await ask(own), [200, "no-store", "Accept, Cookie, authorization, x-api-key"]);
  assert.deepEqual(await ask(Response.redirect(address)), [302, "private", vary]);
  assert.equal((await ask(Response.error()))[0], 0);
});

test("a failure of the verifier, or of who reads the path, lets nobody in", async () => {
  const { issuer, verifier } = await world();
  const request = new Request(address, {
    headers: { authorization: await issuer.authorization() },
  });
  const failing = { authenticate: async () => Promise.reject(new Error("a secret")) };
  const failed = () => {
    throw new Error("a secret");
  };
  const answer = await usso(failing).require()(assert.fail)(request);
  assert.deepEqual([answer.status, codeOf(await answer.text())], [503, "access.unavailable"]);
  // Reading the path is the app's, and so are its errors.
  const reading = usso(verifier).params(failed).require()(assert.fail);
  await assert.rejects(reading(request), { message: "a secret" });
});

test("what handlers throw is answered if it is a refusal, and else is theirs", async () => {
  const { issuer, verifier } = await world();
  const request = new Request(address, {
    headers: { authorization: await issuer.authorization() },
  });
  const auth = usso(verifier);
  const refused = await auth.require()((user) => verifier.check(user, { role: "admin" }, request))(
    request,
  );
  assert.deepEqual([refused.status, codeOf(await refused.text())], [403, "access.role"]);
  const failing = auth.require()(() => Promise.reject(new Error("of the app")));
  await assert.rejects(failing(request), { message: "of the app" });
});

test("rules that are none are refused when the route is made", async () => {
  const auth = usso((await world()).verifier);
  for (const wanted of ["raed:files", undefined, { scopes: "read:files" }, []]) {
    assert.throws(() => auth.require(wanted), { code: "config.invalid" });
  }
  assert.throws(() => usso(undefined), { code: "config.invalid" });
});

test("whom a guard refused is nobody's caller", async () => {
  const { issuer, verifier } = await world();
  const request = new Request(address, {
    headers: { authorization: await issuer.authorization() },
  });
  const { callerOf } = await import(new URL("guard.js", import.meta.resolve("usso/package.json")));
  const auth = usso(verifier);
  assert.equal((await auth.require({ role: "admin" })(assert.fail)(request)).status, 403);
  assert.throws(() => callerOf(verifier, request), /nobody is known/);
  await auth.require()(() => new Response())(request);
  assert.equal(callerOf(verifier, request).sub, "user:1");
});
