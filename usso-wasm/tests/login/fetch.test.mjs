import assert from "node:assert/strict";
import { test } from "node:test";

import {
  accessToken, attempt, load, openTab, signIn, signOut, sleep, userOf,
} from "./support/browser.mjs";
import { world } from "./support/world.mjs";

const redirect = (status, to) => (request, response) =>
  response.writeHead(status, { location: to() }).end();
const w = world({
  "/to-foreign": redirect(307, () => `${w.foreign.origin("localhost")}/api/stolen`),
  "/to-own": redirect(307, () => "/api/own"),
});
const LIFE = 15 * 60_000;

async function signedIn(t, more = {}) {
  const opened = await w.open(t);
  const options = { ...opened.options, ...more };
  const page = await openTab(opened.context, w.site, options, { clock: true });
  await signIn(page, w.alice);
  const token = (await accessToken(page)).value;
  for (const site of [w.site, w.foreign]) Object.assign(site, { calls: [], next: [] });
  return { ...opened, page, token, authorization: `Bearer ${token}` };
}

/** Sends a request of the session; gives status and text of the answer. */
const send = (page, url, init) =>
  attempt(page, async ([url, init]) => {
    const response = await session.fetch(url, init);
    return { status: response.status, type: response.type, text: await response.text() };
  }, [url, init]);

/** Signs in as another app of the same site does, which these tabs do not hear. */
const signInElsewhere = (page, server, { identifier, secret }) =>
  attempt(page, ([server, account]) =>
    fetch(`${server}/api/sso/v1/auth/login`, {
      method: "POST", credentials: "include", headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...account, transport: "cookie" }),
    }).then(({ status }) => status),
  [server, { identifier, secret }]);

test("the token goes to the page's own origin and the server", async (t) => {
  const { page, authorization, options } = await signedIn(t);
  await send(page, "/api/own");
  assert.equal(w.site.calls[0].authorization, authorization);
  const me = await send(page, `${options.server}/api/sso/v1/me`);
  assert.equal(JSON.parse(me.value.text).id, w.alice.id);
});

test("the token goes to no other origin", async (t) => {
  const { page } = await signedIn(t);
  const { port } = w.foreign;
  for (const url of [
    `http://localhost:${port}/api/a`, `//localhost:${port}/api/b`,
    `http://127.0.0.1:${w.site.port}/api/c`, `http://LOCALHOST:${port}/api/d`,
    `http://localhost:${port}/api/e?${w.site.origin("localhost")}`,
  ]) {
    assert.equal((await send(page, url)).value.status, 200, url);
  }
  for (const { url, authorization } of [...w.foreign.calls, ...w.site.calls]) {
    assert.equal(authorization, undefined, url);
  }
  assert.equal(w.foreign.calls.length + w.site.calls.length, 5);
});

test("a list of origins says where the token goes, and nowhere else", async (t) => {
  const { page, authorization } = await signedIn(t, {
    apiOrigins: [`${w.foreign.origin("localhost")}/`],
  });
  await send(page, `${w.foreign.origin("localhost")}/api/a`);
  await send(page, "/api/own");
  assert.equal(w.foreign.calls[0].authorization, authorization);
  assert.equal(w.site.calls[0].authorization, undefined);
});

test("a request with a credential of its own keeps it", async (t) => {
  const { page } = await signedIn(t);
  w.site.next = [{ status: 401 }];
  const init = { headers: { Authorization: "Basic YTpi" } };
  assert.equal((await send(page, "/api/own", init)).value.status, 401);
  assert.deepEqual(w.site.calls.map(({ authorization }) => authorization), ["Basic YTpi"]);
});

test("a redirect does not take the token to another origin", async (t) => {
  const { page, gate } = await signedIn(t);
  const own = await send(page, "/to-foreign");
  assert.equal(own.name, "TypeError");
  const location = `${w.foreign.origin("localhost")}/api/stolen`;
  const headers = { location, "access-control-allow-headers": "authorization" };
  gate.answer("/me", 302, { headers });
  const server = await send(page, `${gate.base}/api/sso/v1/me`);
  assert.equal(server.name, "TypeError");
  assert.deepEqual(w.foreign.calls, []);
  const manual = await send(page, "/to-foreign", { redirect: "manual" });
  assert.equal(manual.value.type, "opaqueredirect");
  assert.deepEqual(w.foreign.calls, []);
});

test("a redirect within the page's origin is followed", async (t) => {
  const { page, authorization } = await signedIn(t);
  assert.equal((await send(page, "/to-own")).value.status, 200);
  assert.equal(w.site.calls[0].authorization, authorization);
});

test("an answer of 401 renews the token once and repeats the request", async (t) => {
  const { page, gate, authorization } = await signedIn(t);
  await sleep(page, 60_000);
  w.site.next = [{ status: 401 }];
  const answer = await send(page, "/api/own", { method: "PUT", body: "the words" });
  assert.equal(answer.value.status, 200);
  const [first, second] = w.site.calls;
  assert.deepEqual([first.body, second.body], ["the words", "the words"]);
  assert.equal(second.method, "PUT");
  assert.equal(first.authorization, authorization);
  assert.notEqual(second.authorization, authorization);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("a second answer of 401 is the answer, and what is new is not renewed", async (t) => {
  const { page, gate } = await signedIn(t);
  await sleep(page, 60_000);
  w.site.next = Array.from({ length: 20 }, () => ({ status: 401 }));
  for (let i = 0; i < 5; i++) assert.equal((await send(page, "/api/own")).value.status, 401);
  assert.equal(w.site.calls.length, 6);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("ten requests that are refused at once make one refresh", async (t) => {
  const { page, gate } = await signedIn(t);
  await sleep(page, 60_000);
  w.site.next = Array.from({ length: 10 }, () => ({ status: 401 }));
  const { value } = await attempt(page, () =>
    Promise.all(Array.from({ length: 10 }, () => session.fetch("/api/own").then((r) => r.status))));
  assert.deepEqual(value, Array(10).fill(200));
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("a request that was made before is repeated with its body", async (t) => {
  const { page } = await signedIn(t);
  await sleep(page, 60_000);
  w.site.next = [{ status: 401 }];
  const { value } = await attempt(page, async () => {
    const request = new Request("/api/own", { method: "POST", body: new Blob(["in a blob"]) });
    return (await session.fetch(request)).status;
  });
  assert.equal(value, 200);
  assert.deepEqual(w.site.calls.map(({ body }) => body), ["in a blob", "in a blob"]);
});

test("a refused request whose renewal fails gives the refusal", async (t) => {
  const { page, gate } = await signedIn(t);
  await sleep(page, 60_000);
  gate.answer("/auth/refresh", 503);
  w.site.next = [{ status: 401 }];
  const answer = await send(page, "/api/own");
  assert.equal(answer.value.status, 401);
  assert.match(answer.value.text, /authorization/, "its body can be read");
  assert.equal(await userOf(page), w.alice.id);
});

test("a refused request of a session that is over gives the refusal, and signs out", async (t) => {
  const { page, authorization } = await signedIn(t);
  await sleep(page, 60_000);
  await w.server.send("DELETE", "/sessions", undefined, { authorization });
  w.site.next = [{ status: 401 }];
  assert.equal((await send(page, "/api/own")).value.status, 401);
  assert.equal(w.site.calls.length, 1);
  assert.equal(await page.evaluate(() => session.status), "signedOut");
});

test("who is signed out sends without a token", async (t) => {
  const { page } = await signedIn(t);
  await signOut(page);
  assert.equal((await send(page, "/api/own")).value.status, 200);
  assert.equal(w.site.calls[0].authorization, undefined);
});

test("the first request of a page finds out who is signed in", async (t) => {
  const { page, options, gate } = await signedIn(t);
  await load(page, w.site, options);
  assert.equal((await send(page, "/api/own")).value.status, 200);
  assert.match(w.site.calls[0].authorization, /^Bearer ey/);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("what one user has begun is not sent in the name of another", async (t) => {
  const { page, options } = await signedIn(t);
  assert.equal((await signInElsewhere(page, options.server, w.bob)).value, 200);
  await sleep(page, LIFE);
  const told = await send(page, "/api/own", { method: "POST", body: "from alice" });
  assert.equal(told.code, "client.user_changed");
  assert.deepEqual(w.site.calls, []);
  assert.equal(await userOf(page), w.bob.id);
});

test("what one user has sent is not repeated in the name of another", async (t) => {
  const { page, options } = await signedIn(t);
  assert.equal((await signInElsewhere(page, options.server, w.bob)).value, 200);
  await sleep(page, 60_000);
  w.site.next = [{ status: 401 }];
  const answer = await send(page, "/api/own", { method: "POST", body: "from alice" });
  assert.equal(answer.value.status, 401);
  assert.equal(w.site.calls.length, 1);
  assert.equal(await userOf(page), w.bob.id);
});

test("what a user has begun is not sent after the sign-out", async (t) => {
  const { page, gate, context, options } = await signedIn(t);
  const other = await openTab(context, w.site, options);
  await attempt(other, () => session.resume());
  const held = gate.hold("/auth/refresh");
  await sleep(page, LIFE);
  const sending = send(page, "/api/own", { method: "POST", body: "from alice" });
  await gate.reached("/auth/refresh", 1);
  await signOut(other);
  assert.equal((await sending).code, "client.signed_out");
  held.release();
  assert.deepEqual(w.site.calls, []);
});

test("fetch can be handed to a library by itself", async (t) => {
  const { page, authorization } = await signedIn(t);
  const { value } = await attempt(page, async () => {
    const { fetch } = session;
    return (await fetch(new URL("/api/own", location))).status;
  });
  assert.equal(value, 200);
  assert.equal(w.site.calls[0].authorization, authorization);
});

test("an address that is none is an error of the promise", async (t) => {
  const { page } = await signedIn(t);
  const { value } = await attempt(page, () => {
    const sent = session.fetch("http://[");
    return sent.then(() => "sent", (error) => error.name);
  });
  assert.equal(value, "TypeError");
});
