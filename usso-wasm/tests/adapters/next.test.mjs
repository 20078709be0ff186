import assert from "node:assert/strict";
import test from "node:test";

import { createVerifier, UssoError } from "usso";
import { usso } from "usso/next";

import { serveFetch } from "./servers.mjs";
import { codeOf, differences, FETCH, world } from "./table.mjs";

test("route handlers answer as the table says", async (t) => {
  const everything = await world();
  const auth = usso(everything.verifier);
  const sub = (user) => new Response(user.sub);
  const routes = [];
  const route = (path, handler) => {
    routes.push([new RegExp(`^${path.replace(/\[(\w+)\]/g, "(?<$1>[^/]+)")}$`), handler]);
  };
  route("/me", auth.require()(sub));
  route(
    "/maybe",
    auth.optional()((user) => new Response(user?.sub ?? "nobody")),
  );
  route(
    "/claims",
    auth.require()(({ claims: { color } }) => {
      return new Response(color, { status: color ? 200 : 403 });
    }),
  );
  route("/files", auth.require("read:files")(sub));
  route("/users/[id]", auth.require("read:users?user_id={id}")(sub));
  route("/policy/[id]", auth.require({ scope: ["read:users?user_id={id}"] })(sub));
  route("/admin", auth.require({ role: "admin" })(sub));
  route("/machine", auth.require({ service: true })(sub));
  route("/w/[workspace]/notes", auth.require({ workspace: "{workspace}" })(sub));
  route("/t/[tenant]/notes", auth.require({ tenant: "{tenant}" })(sub));
  route("/payments", auth.require({ maxAge: 300 })(sub));
  route(
    "/panic",
    auth.require()(() => {
      throw new Error("of the app");
    }),
  );
  const port = await serveFetch(t, async (request) => {
    const { pathname } = new URL(request.url);
    const found = routes.find(([pattern]) => pattern.test(pathname));
    if (found === undefined) return new Response(null, { status: 404 });
    const parts = Object.entries(found[0].exec(pathname).groups ?? {});
    const params = Object.fromEntries(
      parts.map(([name, value]) => [name, decodeURIComponent(value)]),
    );
    try {
      return await found[1](request, { params: Promise.resolve(params) });
    } catch {
      return new Response(null, { status: 500 });
    }
  });
  assert.deepEqual(await differences(port, everything, FETCH), []);
});

const address = "https://api.example/me";

test("parts of the path may be a promise or there at once, but never lists of parts", async () => {
  const { issuer, verifier } = await world();
  const headers = {
    authorization: await issuer.authorization({ scopes: ["read:users?user_id=7"] }),
  };
  const GET = usso(verifier).require("read:users?user_id={id}")(() => new Response("here"));
  const ask = async (...given) => {
    const answer = await GET(new Request(address, { headers }), ...given);
    return codeOf(await answer.text()) ?? answer.status;
  };
  assert.equal(await ask({ params: Promise.resolve({ id: "7" }) }), 200);
  assert.equal(await ask({ params: { id: "7" } }), 200);
  assert.equal(await ask({ params: { id: "8" } }), "access.scope");
  assert.equal(await ask({ params: { id: ["7"] } }), "guard.path_parameter");
  const failed = { params: Promise.reject(new Error("of Next")) };
  await assert.rejects(ask(failed), { message: "of Next" });
  assert.equal(await ask(), "guard.path_parameter");
});

test("a middleware lets on who may pass, and answers the others", async () => {
  const { issuer, verifier } = await world();
  const proxy = usso(verifier).middleware("read:files");
  const ask = async (claims) => {
    const authorization = claims && (await issuer.authorization(claims));
    const answer = await proxy(
      new Request(address, { headers: authorization ? { authorization } : {} }),
    );
    return [answer.status, answer.headers.get("x-middleware-next")];
  };
  assert.deepEqual(await ask({ scopes: ["read:files"] }), [200, "1"]);
  assert.deepEqual(await ask({}), [403, null]);
  assert.deepEqual(await ask(undefined), [401, null]);
});

test("what a cookie opened behind a middleware is not kept", async () => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const headers = { cookie: `usso-access-token=${await issuer.mint()}` };
  const onward = new Response(null, { headers: { "x-middleware-next": "1" } });
  const guarded = auth.require()(() => onward);
  for (const proxy of [auth.middleware(), guarded]) {
    const answer = await proxy(new Request(address, { headers }));
    assert.equal(answer.headers.get("cache-control"), "private, no-store");
    assert.equal(answer.headers.get("x-middleware-next"), "1");
  }
});

test("a middleware keeps keys that are fetched by the event's `waitUntil`", async () => {
  const { issuer } = await world();
  const { issuer: name, audience, fetch } = issuer;
  const proxy = usso(createVerifier({ issuer: name, audience, fetch })).middleware();
  const kept = [];
  const headers = { authorization: await issuer.authorization() };
  const event = { waitUntil: (work) => kept.push(work) };
  assert.equal((await proxy(new Request(address, { headers }), event)).status, 200);
  assert.ok(kept.length > 0);
});

test("a page knows its caller, or that there is none", async () => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const cookie = `usso-access-token=${await issuer.mint()}`;
  assert.equal((await auth.currentUser(new Headers({ cookie })))?.sub, "user:1");
  assert.equal(await auth.currentUser(new Headers()), undefined);
  const expired = `usso-access-token=${await issuer.mint({ exp: 1 })}`;
  const headers = new Headers({ cookie: expired });
  await assert.rejects(auth.currentUser(headers), { code: "token.expired" });
});

test("what may be a server action by cookie is known only from an allowed page", async () => {
  const { issuer, verifier } = await world();
  const auth = usso(verifier);
  const cookie = `usso-access-token=${await issuer.mint()}`;
  const foreign = { cookie, "sec-fetch-site": "cross-site" };
  assert.equal((await auth.currentUser(new Headers(foreign)))?.sub, "user:1");
  for (const [name, value] of [
    ["origin", "https://evil.example"],
    ["origin", "null"],
    ["content-type", "multipart/form-data"],
    ["content-length", "0"],
    ["transfer-encoding", "chunked"],
    ["next-action", "7f"],
  ]) {
    const headers = new Headers({ ...foreign, [name]: value });
    await assert.rejects(auth.currentUser(headers), { code: "request.cross_site" }, name);
  }
  const own = new Headers({ cookie, "content-length": "0", origin: "https://app.example" });
  assert.equal((await auth.currentUser(own))?.sub, "user:1");
});

test("a failure of the verifier is a refusal for a page, too", async () => {
  const verifier = { authenticate: async () => Promise.reject(new Error("a secret")) };
  const asked = usso(verifier).currentUser(new Headers());
  await assert.rejects(asked, (error) => error instanceof UssoError && error.status === 503);
});

test("rules that are none are refused when the route is made", async () => {
  const auth = usso((await world()).verifier);
  for (const wanted of ["raed:files", undefined, { scopes: "read:files" }, []]) {
    assert.throws(() => auth.require(wanted), { code: "config.invalid" });
    assert.throws(() => auth.middleware(wanted), { code: "config.invalid" });
  }
});
