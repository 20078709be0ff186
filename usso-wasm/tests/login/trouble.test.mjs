import assert from "node:assert/strict";
import { test } from "node:test";

import {
  accessToken, attempt, changesOf, load, openTab, resume, signIn, sleep, userOf, waitForStatus,
} from "./support/browser.mjs";
import { world } from "./support/world.mjs";

const w = world();
const MINUTES = 60_000;
const LIFE = 15 * MINUTES;

async function signedIn(t) {
  const opened = await w.open(t);
  const page = await openTab(opened.context, w.site, opened.options, { clock: true });
  const { value } = await signIn(page, w.alice);
  return { ...opened, page, life: (value.exp - value.iat) * 1000 };
}

/** Says whether somebody looks at the page. */
const show = (page, visible) =>
  page.evaluate((visible) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => !visible });
    document.dispatchEvent(new Event("visibilitychange"));
  }, visible);

/** Lets time pass until there were so many requests; timers run at their time. */
async function passUntil(page, gate, path, count) {
  for (let steps = 0; gate.count(path) < count && steps < 400; steps++) {
    await page.clock.runFor(1000);
  }
  assert.ok(gate.count(path) >= count, "it came to it");
}

for (const [what, breaks] of [
  ["a server that fails", (gate) => gate.answer("/auth/refresh", 500)],
  ["a proxy that finds no server", (gate) => gate.answer("/auth/refresh", 502, { body: "<html>" })],
  ["a proxy that forbids", (gate) => gate.answer("/auth/refresh", 403, { body: "<html>" })],
  ["a server with too much to do", (gate) => gate.answer("/auth/refresh", 429)],
  ["an unreadable answer", (gate) => gate.answer("/auth/refresh", 200, { body: "<html>" })],
  ["a network that is down", (gate) => gate.cut("/auth/refresh")],
]) {
  test(`${what} signs nobody out`, async (t) => {
    const { page, gate } = await signedIn(t);
    const token = (await accessToken(page)).value;
    const outage = breaks(gate);
    await sleep(page, LIFE - 5_000);
    assert.equal((await accessToken(page)).value, token, "the token is good for five seconds more");
    await sleep(page, 60_000);
    const told = await accessToken(page);
    assert.match(told.code, /^sso\./);
    assert.ok(told.retryAfter >= 1 && told.retryAfter <= 600, String(told.retryAfter));
    assert.equal(await userOf(page), w.alice.id);
    assert.equal(await page.evaluate(() => session.status), "signedIn");
    outage.end();
    assert.equal((await resume(page)).value.sub, w.alice.id);
    assert.notEqual((await accessToken(page)).value, token);
    assert.deepEqual((await changesOf(page)).map(([change]) => change), ["signIn", "renewed"]);
  });
}

test("callers and tabs make no storm while the server fails", async (t) => {
  const { context, options, page, gate } = await signedIn(t);
  const other = await openTab(context, w.site, options, { clock: true });
  await resume(other);
  gate.answer("/auth/refresh", 503);
  for (const tab of [page, other]) await sleep(tab, LIFE + 1000);
  for (let i = 0; i < 20; i++) {
    assert.equal((await accessToken(i % 2 === 0 ? page : other)).status, 503);
    if (i === 0) await other.evaluate(() => new Promise((done) => setTimeout(done, 50)));
  }
  assert.ok(gate.count("/auth/refresh") <= 3, `${gate.count("/auth/refresh")} requests`);
});

test("attempts become rarer, and end with the outage", async (t) => {
  const { page, gate } = await signedIn(t);
  const outage = gate.answer("/auth/refresh", 503);
  await sleep(page, LIFE + 1000);
  await accessToken(page);
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 10));
  const waits = [];
  for (let count = 2; count <= 9; count++) {
    const before = await page.evaluate(() => Date.now());
    await passUntil(page, gate, "/auth/refresh", count);
    waits.push((await page.evaluate(() => Date.now())) - before);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 0)) && undefined);
  }
  assert.ok(waits.at(-1) >= 30_000 && waits.at(-1) <= 90_000, String(waits));
  outage.end();
  await passUntil(page, gate, "/auth/refresh", 10);
  await page.waitForFunction(() => changes.at(-1)[0] === "renewed");
});

test("the server says when to come back", async (t) => {
  const { page, gate } = await signedIn(t);
  gate.answer("/auth/refresh", 503, { headers: { "retry-after": "120" } });
  await sleep(page, LIFE + 1000);
  assert.equal((await accessToken(page)).retryAfter, 120);
  await sleep(page, 100_000);
  assert.equal((await accessToken(page)).status, 503);
  assert.equal(gate.count("/auth/refresh"), 1);
  await sleep(page, 21_000);
  await accessToken(page);
  assert.equal(gate.count("/auth/refresh"), 2);
});

test("a time to come back that is beyond reason is not waited for", async (t) => {
  const { page, gate } = await signedIn(t);
  gate.answer("/auth/refresh", 503, { headers: { "retry-after": "999999" } });
  await sleep(page, LIFE + 1000);
  assert.equal((await accessToken(page)).retryAfter, 600);
});

test("a page that is loaded in an outage resumes by itself when it is over", async (t) => {
  const { page, gate, options } = await signedIn(t);
  const outage = gate.answer("/auth/refresh", 503);
  await load(page, w.site, options);
  assert.equal((await resume(page)).status, 503);
  assert.equal(await page.evaluate(() => session.status), "unknown");
  outage.end();
  await waitForStatus(page, "signedIn");
  assert.equal(await userOf(page), w.alice.id);
});

test("a machine that comes online again renews at once", async (t) => {
  const { page, gate, context } = await signedIn(t);
  await context.setOffline(true);
  await sleep(page, LIFE + 1000);
  assert.equal((await accessToken(page)).code, "sso.unreachable");
  await context.setOffline(false);
  await gate.reached("/auth/refresh", 1);
  await page.waitForFunction(() => changes.at(-1)[0] === "renewed");
});

test("a refresh that raced with another is sent again, with the next cookie", async (t) => {
  const { page, gate } = await signedIn(t);
  const body = { error_code: "session.refresh_raced" };
  gate.answer("/auth/refresh", 409, { body }, 2);
  await sleep(page, LIFE + 1000);
  assert.match((await accessToken(page)).value, /^ey/);
  assert.equal(gate.count("/auth/refresh"), 3);
  assert.equal(await userOf(page), w.alice.id);
});

test("races without end keep the session, too", async (t) => {
  const { page, gate } = await signedIn(t);
  gate.answer("/auth/refresh", 409, { body: { error_code: "session.refresh_raced" } });
  await sleep(page, LIFE + 1000);
  assert.equal((await accessToken(page)).code, "session.refresh_raced");
  assert.equal(gate.count("/auth/refresh"), 4);
  assert.equal(await userOf(page), w.alice.id);
});

test("an answer that was lost on the way does not end the session", async (t) => {
  const { page, gate } = await signedIn(t);
  gate.lose("/auth/refresh", 1);
  await sleep(page, LIFE + 1000);
  await accessToken(page);
  await page.waitForFunction(() => changes.at(-1)[0] === "renewed");
  assert.equal(await userOf(page), w.alice.id);
  assert.match((await accessToken(page)).value, /^ey/);
});

test("a refresh that is refused signs out", async (t) => {
  for (const body of [{ error_code: "session.refresh_reused" }, ""]) {
    const { page, gate } = await signedIn(t);
    gate.answer("/auth/refresh", 401, { body });
    await sleep(page, LIFE + 1000);
    assert.deepEqual(await accessToken(page), {});
    assert.deepEqual((await changesOf(page)).at(-1), ["ended", undefined]);
    assert.deepEqual(await accessToken(page), {});
    assert.equal(gate.count("/auth/refresh"), 1);
  }
});

test("a tenant that was suspended signs out, and says why", async (t) => {
  const { page, gate } = await signedIn(t);
  gate.answer("/auth/refresh", 403, { body: { error_code: "tenant.suspended" } });
  await sleep(page, LIFE + 1000);
  assert.equal((await accessToken(page)).code, "tenant.suspended");
  assert.deepEqual((await changesOf(page)).at(-1), ["ended", undefined]);
});

test("a server that does not answer is given up", async (t) => {
  const { page, gate } = await signedIn(t);
  gate.hold("/auth/refresh");
  await sleep(page, LIFE + 1000);
  const asked = accessToken(page);
  await gate.reached("/auth/refresh", 1);
  await page.clock.fastForward(21_000);
  assert.equal((await asked).code, "sso.unreachable");
  assert.equal(await userOf(page), w.alice.id);
});

test("a page that is looked at renews before the token ends", async (t) => {
  const { page, gate } = await signedIn(t);
  const start = await page.evaluate(() => Date.now());
  await page.clock.fastForward(13 * MINUTES);
  assert.equal(gate.count("/auth/refresh"), 0);
  await passUntil(page, gate, "/auth/refresh", 1);
  await page.waitForFunction(() => changes.at(-1)[0] === "renewed");
  const passed = (await page.evaluate(() => Date.now())) - start;
  assert.ok(passed < LIFE - 20_000, `${passed}`);
});

test("a page that nobody looks at renews when somebody does", async (t) => {
  const { page, gate } = await signedIn(t);
  await show(page, false);
  await page.clock.fastForward(30 * MINUTES);
  for (let i = 0; i < 20; i++) await page.clock.runFor(100);
  // What the timers have sent by now is there before this.
  await page.evaluate((url) => fetch(url, { mode: "no-cors" }), `${gate.base}/seen`);
  assert.equal(gate.count("/auth/refresh"), 0);
  await show(page, true);
  await gate.reached("/auth/refresh", 1);
  await page.waitForFunction(() => changes.at(-1)[0] === "renewed");
});

test("a page that nobody looks at renews when it is asked", async (t) => {
  const { page, gate } = await signedIn(t);
  await show(page, false);
  await sleep(page, LIFE + 1000);
  assert.match((await accessToken(page)).value, /^ey/);
  assert.equal(gate.count("/auth/refresh"), 1);
});

for (const [what, time] of [
  ["ahead", () => Date.now() + 24 * 60 * MINUTES],
  ["behind", () => Date.now() - 24 * 60 * MINUTES],
]) {
  test(`a clock that is a day ${what} of the server's does no harm`, async (t) => {
    const { context, options, gate } = await w.open(t);
    const page = await context.newPage();
    await page.clock.install({ time: time() });
    await load(page, w.site, options);
    await signIn(page, w.alice);
    const token = (await accessToken(page)).value;
    for (let i = 0; i < 5; i++) assert.equal((await accessToken(page)).value, token);
    assert.equal(gate.count("/auth/refresh"), 0);
    await sleep(page, LIFE);
    assert.notEqual((await accessToken(page)).value, token);
    assert.equal(gate.count("/auth/refresh"), 1);
  });
}

test("a clock that is set back does not keep an old token", async (t) => {
  const { page, gate } = await signedIn(t);
  await show(page, false);
  await page.clock.fastForward(LIFE);
  await page.clock.setSystemTime((await page.evaluate(() => Date.now())) - LIFE);
  await accessToken(page);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("tabs do not renew in the same second", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options, { clock: true });
  const times = await attempt(page, async () => {
    const { tokenOf } = await import("/usso/login/token.js");
    const access = `e30.${btoa('{"sub":"a"}')}.x`;
    const made = Array.from({ length: 200 }, () => tokenOf(access, 900_000, Date.now()).renewal);
    const short = tokenOf(access, 10_000, Date.now()).renewal;
    return { least: Math.min(...made), most: Math.max(...made), short };
  });
  const { least, most, short } = times.value;
  assert.ok(least >= 825_000 && most <= 855_000 && most - least > 20_000, `${least} ${most}`);
  assert.ok(short >= 2_500 && short <= 7_500, String(short));
});

test("what one tab has found out about the server, the others do not try", async (t) => {
  const { context, options, page, gate } = await signedIn(t);
  const others = [
    await openTab(context, w.site, options, { clock: true }),
    await openTab(context, w.site, options, { clock: true }),
  ];
  await Promise.all(others.map(resume));
  gate.answer("/auth/refresh", 503, { headers: { "retry-after": "120" } });
  for (const tab of [page, ...others]) await sleep(tab, LIFE + 1000);
  const told = await Promise.all([page, ...others].map(accessToken));
  assert.deepEqual(told.map(({ status }) => status), [503, 503, 503]);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("a page that comes back by the button asks whether the session goes on", async (t) => {
  const { page, gate } = await signedIn(t);
  const authorization = `Bearer ${(await accessToken(page)).value}`;
  await w.server.send("DELETE", "/sessions", undefined, { authorization });
  await page.evaluate(() => {
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  });
  await waitForStatus(page, "signedOut");
  assert.equal(gate.count("/auth/refresh"), 1);
});
