import assert from "node:assert/strict";
import { test } from "node:test";

import {
  accessToken, attempt, changesOf, load, openTab, resume, signIn, signOut, userOf,
} from "./support/browser.mjs";
import { world } from "./support/world.mjs";

const w = world();

test("a user signs in and is who the server says", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  assert.equal(await page.evaluate(() => session.status), "unknown");
  const { value } = await signIn(page, w.alice);
  assert.equal(value.sub, w.alice.id);
  assert.equal(await page.evaluate(() => session.status), "signedIn");
  assert.equal(await userOf(page), w.alice.id);
  assert.deepEqual(await changesOf(page), [["signIn", w.alice.id]]);
  const token = (await accessToken(page)).value;
  const authorization = `Bearer ${token}`;
  const me = await w.server.send("GET", "/me", undefined, { authorization });
  assert.equal(me.id, w.alice.id);
  assert.equal(gate.count("/auth/refresh"), 0);
});

test("a wrong password is the server's refusal, and signs nobody in", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const refused = await signIn(page, { ...w.alice, secret: "not the words" });
  assert.equal(refused.name, "UssoLoginError");
  assert.deepEqual([refused.code, refused.status], ["password.not_valid", 401]);
  assert.match(refused.message, /password/i);
  assert.doesNotMatch(JSON.stringify(refused), /not the words/);
  assert.equal(await userOf(page), undefined);
  assert.deepEqual(await changesOf(page), []);
});

test("an account is created and signed in, once", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const register = () =>
    attempt(page, (account) => session.register(account), {
      identifier: "carol@example.com", secret: "seven quiet rivers 42", name: "Carol",
    });
  const { value } = await register();
  assert.match(value.sub, /^user:/);
  const again = await register();
  assert.deepEqual([again.code, again.status], ["user.identifier_taken", 409]);
  assert.equal(await userOf(page), value.sub);
});

test("how long to wait is told in seconds", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const body = { error_code: "password.limited", message: { en: "Too many attempts." } };
  gate.answer("/auth/login", 429, { headers: { "retry-after": "7" }, body });
  const refused = await signIn(page, w.alice);
  assert.deepEqual(refused, {
    name: "UssoLoginError", code: "password.limited", status: 429,
    message: "Too many attempts.", retryAfter: 7,
  });
});

test("a page that is loaded again resumes the session by its cookie", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  await load(page, w.site, options);
  assert.equal(await userOf(page), undefined);
  assert.equal((await resume(page)).value.sub, w.alice.id);
  assert.equal(gate.count("/auth/refresh"), 1);
  await load(page, w.site, options);
  assert.match((await accessToken(page)).value, /^ey/);
  assert.equal(gate.count("/auth/refresh"), 2);
  assert.deepEqual(await changesOf(page), [["signIn", w.alice.id]]);
});

test("who was never here is nobody, which is no error", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  assert.deepEqual(await resume(page), {});
  assert.equal(await page.evaluate(() => session.status), "signedOut");
  assert.deepEqual(await accessToken(page), {});
  assert.deepEqual(await accessToken(page), {});
  assert.deepEqual(await changesOf(page), [["nobody", undefined]]);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("no token is where other scripts or a thief of the disk would look", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  await load(page, w.site, options);
  await resume(page);
  const kept = await page.evaluate(async () => ({
    local: { ...localStorage }, session: { ...sessionStorage }, cookie: document.cookie,
    databases: await indexedDB.databases(), caches: await caches.keys(),
    name: window.name, state: history.state, text: JSON.stringify(session),
    object: Object.values(session).map(String).join(),
  }));
  assert.deepEqual(
    { ...kept, object: "" },
    { local: {}, session: {}, cookie: "", databases: [], caches: [], name: "", state: null,
      text: "{}", object: "" },
  );
  assert.doesNotMatch(kept.object, /ey[A-Za-z0-9]/);
  const [cookie, ...others] = await context.cookies(`${options.server}/api/sso/v1/auth/refresh`);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [cookie.name, cookie.httpOnly, cookie.sameSite, cookie.path],
    ["usso-refresh-token", true, "Strict", "/api/sso/v1/auth"],
  );
});

test("no answer of the server hands a refresh token to the page", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const bodies = [];
  page.on("response", (response) => bodies.push(response.text().catch(() => "")));
  await signIn(page, w.alice);
  await load(page, w.site, options);
  await resume(page);
  assert.doesNotMatch((await Promise.all(bodies)).join(), /usso_rt_|"refresh_token"/);
});

test("a sign-out ends the session at the server", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  const token = (await accessToken(page)).value;
  assert.deepEqual(await signOut(page), {});
  assert.equal(await userOf(page), undefined);
  assert.deepEqual((await changesOf(page)).at(-1), ["signOut", undefined]);
  const me = w.server.send("GET", "/me", undefined, { authorization: `Bearer ${token}` });
  await assert.rejects(me, /session\.ended/);
  await load(page, w.site, options);
  assert.deepEqual(await resume(page), {});
  assert.deepEqual(await context.cookies(options.server), []);
});

test("a sign-out that the server does not hear of holds, and is told later", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  const token = (await accessToken(page)).value;
  const outage = gate.cut("/auth/logout");
  const failed = await signOut(page);
  assert.equal(failed.code, "sso.unreachable");
  assert.equal(await page.evaluate(() => session.status), "signedOut");
  assert.deepEqual(await resume(page), {});
  await load(page, w.site, options);
  assert.deepEqual(await resume(page), {});
  assert.equal(gate.count("/auth/refresh"), 0);
  outage.end();
  await load(page, w.site, options);
  assert.deepEqual(await resume(page), {});
  assert.equal(gate.count("/auth/refresh"), 0);
  const me = w.server.send("GET", "/me", undefined, { authorization: `Bearer ${token}` });
  await assert.rejects(me, /session\.ended/);
  assert.deepEqual(await page.evaluate(() => ({ ...localStorage })), {});
});

test("a sign-out that the server did not hear of is told once the machine is online", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  await context.setOffline(true);
  assert.equal((await signOut(page)).code, "sso.unreachable");
  assert.equal(gate.count("/auth/logout"), 0);
  await context.setOffline(false);
  await gate.reached("/auth/logout", 1);
  await page.waitForFunction(() => localStorage.length === 0);
  assert.deepEqual(await context.cookies(options.server), []);
});

test("who signs in after a sign-out that the server did not hear of stays signed in", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  const outage = gate.cut("/auth/logout");
  await signOut(page);
  assert.equal((await signIn(page, w.bob)).value.sub, w.bob.id);
  outage.end();
  await load(page, w.site, options);
  assert.equal((await resume(page)).value.sub, w.bob.id);
});

test("an answer that cannot be read signs nobody in", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const payload = (claims) => `e30.${Buffer.from(claims).toString("base64url")}.x`;
  const bodies = [
    "", "[]", "<html>", "{}", { access_token: 7, expires_in: 900 },
    { access_token: "no token", expires_in: 900 }, { access_token: "a\r\nb: c", expires_in: 900 },
    { access_token: payload('{"sub":7}'), expires_in: 900 },
    { access_token: payload("null"), expires_in: 900 },
    { access_token: payload("\xff"), expires_in: 900 },
    { access_token: payload(`${"[".repeat(9000)}`), expires_in: 900 },
    { access_token: payload('{"sub":"a"}') },
    { access_token: `${payload('{"sub":"a"}')}\r\nx: y`, expires_in: 900 },
    { access_token: payload('{"sub":"a"}') + "x".repeat(20_000), expires_in: 900 },
    { access_token: payload('{"sub":"a"}'), expires_in: 0 },
    { access_token: payload('{"sub":"a"}'), expires_in: -1 },
    { access_token: payload('{"sub":"a"}'), expires_in: "x" },
  ];
  for (const body of bodies) {
    const rule = gate.answer("/auth/login", 200, { body });
    const refused = await signIn(page, w.alice);
    assert.equal(refused.code, "sso.bad_answer", JSON.stringify(body));
    rule.end();
  }
  assert.equal(await page.evaluate(() => session.status), "unknown");
});

test("a refusal without a code is told by its status", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  for (const body of ["", "<html>", "[]", { error_code: 7, message: 7, detail: 7 }, "null"]) {
    const rule = gate.answer("/auth/login", 418, { body });
    const refused = await signIn(page, w.alice);
    assert.deepEqual([refused.code, refused.status], ["sso.refused", 418]);
    assert.equal(refused.message, "The SSO answered with status 418.");
    rule.end();
  }
});

test("a server that does not allow the origin cannot be reached", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.foreign, options);
  const refused = await signIn(page, w.alice);
  assert.deepEqual([refused.code, refused.status], ["sso.unreachable", 0]);
  assert.doesNotMatch(JSON.stringify(refused), new RegExp(w.alice.secret));
});

test("a redirect by the server is not followed", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const location = `${w.foreign.origin("localhost")}/api/phish`;
  gate.answer("/auth/login", 307, { headers: { location } });
  assert.equal((await signIn(page, w.alice)).code, "sso.unreachable");
  assert.deepEqual(w.foreign.calls, []);
});

test("a session of a tenant is named by a header, or by the address", async (t) => {
  const { context, options, gate } = await w.open(t);
  const settings = { allowed_origins: [w.site.origin("localhost")] };
  const tenant = await w.server.asAdmin("POST", "/tenants", { slug: "acme", settings });
  const dora = await w.server.user("dora", { "x-tenant-id": "acme" });
  for (const named of [
    { ...options, tenant: "acme" }, { ...options, tenant: tenant.id },
    { server: `${options.server}/t/acme/` },
  ]) {
    const page = await openTab(context, w.site, named);
    assert.equal((await signIn(page, dora)).value.tenant_id, tenant.id);
    await load(page, w.site, named);
    assert.equal((await resume(page)).value.sub, dora.id);
    assert.equal((await signOut(page)).code, undefined);
    await page.close();
  }
  assert.equal(gate.count("/api/sso/v1/auth/refresh"), 3);
});

test("a setting that is wrong is named", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const wrong = [
    [{ server: "sso.example.com" }, /server/], [{ server: "http://sso.example.com" }, /server/],
    [{ server: "ftp://sso.example.com", dangerAllowHttp: true }, /server/],
    [{ server: "https://sso.example.com/?a" }, /server/],
    [{ server: "https://a:b@sso.example.com" }, /server/],
    [{ server: "javascript:alert(1)" }, /server/], [{}, /server/],
    [{ server: "http://localhost.example.com" }, /server/],
    [{ server: "http://notlocalhost" }, /server/],
    [{ server: "http://127.0.0.1.example.com" }, /server/],
    [{ ...options, apiOrigins: ["https://api.example.com/v1"] }, /apiOrigins/],
    [{ ...options, apiOrigins: ["*"] }, /apiOrigins/],
    [{ ...options, apiOrigins: ["data:,"] }, /apiOrigins/],
    [{ ...options, apiOrigins: ["http://api.example.com"] }, /apiOrigins/],
    [{ ...options, apiOrigins: ["ws://api.example.com"] }, /apiOrigins/],
    [{ ...options, apiOrigins: ["https://*.example.com"] }, /apiOrigins/],
    [{ ...options, tenant: "a\nb" }, /tenant/], [{ ...options, tenant: "" }, /tenant/],
  ];
  for (const [settings, name] of wrong) {
    const told = await attempt(page, (settings) => void login.createSession(settings), settings);
    assert.equal(told.code, "config.invalid", JSON.stringify(settings));
    assert.match(told.message, name);
  }
  const danger = { server: "http://sso.internal.example", dangerAllowHttp: true };
  assert.deepEqual(
    await attempt(page, (settings) => void login.createSession(settings), danger), {},
  );
});

test("a listener that throws does not keep others from hearing", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  const heard = await page.evaluate(async (account) => {
    const heard = [];
    session.subscribe(() => {
      throw new Error("mine");
    });
    const stop = session.subscribe((user) => heard.push(user?.sub));
    await session.signIn(account);
    stop();
    await session.signOut();
    return heard;
  }, { identifier: w.alice.identifier, secret: w.alice.secret });
  assert.deepEqual(heard, [w.alice.id]);
  assert.deepEqual(errors, ["mine", "mine"]);
});

test("claims are frozen, and named like anything", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const claims = '{"sub":"a","__proto__":{"x":1},"then":1,"roles":["a"],"name":"Zoë"}';
  const access = `e30.${Buffer.from(claims).toString("base64url")}.x`;
  gate.answer("/auth/login", 200, { body: { access_token: access, expires_in: 60 } });
  const seen = await page.evaluate(async () => {
    const user = await session.signIn({ identifier: "a", secret: "b" });
    try {
      user.roles.push("admin");
    } catch {}
    return [user.name, user.roles, user.x, Object.isFrozen(user)];
  });
  assert.deepEqual(seen, ["Zoë", ["a"], undefined, true]);
});

test("a session that was closed does nothing any more, and signs nobody out", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const other = await openTab(context, w.site, options);
  await signIn(page, w.alice);
  await page.evaluate(() => session.close());
  for (const ask of [accessToken, resume, signOut, (page) => signIn(page, w.bob)]) {
    assert.equal((await ask(page)).code, "client.closed");
  }
  assert.equal((await attempt(page, () => session.fetch("/api/x"))).code, "client.closed");
  assert.equal(await userOf(page), undefined);
  assert.equal((await resume(other)).value.sub, w.alice.id);
  assert.equal(gate.count("/auth/logout"), 0);
});
