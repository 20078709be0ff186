import assert from "node:assert/strict";
import { test } from "node:test";

import {
  accessToken, attempt, changesOf, load, openTab, resume, signIn, signOut, sleep, userOf,
  waitForStatus,
} from "./support/browser.mjs";
import { world } from "./support/world.mjs";

const w = world({ "/empty": { type: "text/html", body: "<!doctype html>" } });
const MINUTES = 60_000;

/** Opens so many tabs with one user. */
async function tabs(t, count, { clock } = {}) {
  const { context, options, gate } = await w.open(t);
  const pages = [];
  for (let i = 0; i < count; i++) pages.push(await openTab(context, w.site, options, { clock }));
  await signIn(pages[0], w.alice);
  return { context, options, gate, pages };
}

test("ten tabs that are opened at once make one refresh", async (t) => {
  const { pages, gate } = await tabs(t, 10);
  await Promise.all(pages.map((page) => waitForStatus(page, "signedIn")));
  await Promise.all(pages.map((page) => load(page, w.site, { server: gate.base })));
  const users = await Promise.all(pages.map(resume));
  assert.deepEqual(users.map(({ value }) => value.sub), pages.map(() => w.alice.id));
  assert.equal(gate.count("/auth/refresh"), 1);
  const tokens = await Promise.all(pages.map(accessToken));
  assert.equal(new Set(tokens.map(({ value }) => value)).size, 1);
});

test("ten tabs whose token ends at once make one refresh", async (t) => {
  const { pages, gate } = await tabs(t, 10, { clock: true });
  await Promise.all(pages.map((page) => waitForStatus(page, "signedIn")));
  const held = gate.hold("/auth/refresh");
  await Promise.all(pages.map((page) => sleep(page, 14.9 * MINUTES)));
  const asked = pages.map(accessToken);
  await gate.reached("/auth/refresh", 1);
  held.release();
  const tokens = await Promise.all(asked);
  assert.equal(gate.count("/auth/refresh"), 1);
  assert.equal(new Set(tokens.map(({ value }) => value)).size, 1);
  assert.match(tokens[0].value, /^ey/);
});

test("ten calls in a tab share one refresh", async (t) => {
  const { pages: [page], gate } = await tabs(t, 1, { clock: true });
  await sleep(page, 14.9 * MINUTES);
  const { value } = await attempt(page, () =>
    Promise.all(Array.from({ length: 10 }, () => session.accessToken())));
  assert.equal(new Set(value).size, 1);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("a tab that is opened later gets the token from another, without a refresh", async (t) => {
  const { context, options, pages: [first], gate } = await tabs(t, 1);
  const second = await openTab(context, w.site, options);
  assert.equal((await resume(second)).value.sub, w.alice.id);
  assert.equal((await accessToken(second)).value, (await accessToken(first)).value);
  assert.equal(gate.count("/auth/refresh"), 0);
});

test("a token that another tab gives is as old as it was there", async (t) => {
  const { context, options, pages: [first], gate } = await tabs(t, 1, { clock: true });
  await sleep(first, 10 * MINUTES);
  const second = await context.newPage();
  await second.clock.install({ time: Date.now() + 10 * MINUTES });
  await load(second, w.site, options);
  await resume(second);
  assert.equal(gate.count("/auth/refresh"), 0);
  await sleep(second, 4.9 * MINUTES);
  await accessToken(second);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("a sign-out in one tab signs all tabs out", async (t) => {
  const { pages, gate } = await tabs(t, 4);
  await Promise.all(pages.map((page) => waitForStatus(page, "signedIn")));
  await signOut(pages[2]);
  await Promise.all(pages.map((page) => waitForStatus(page, "signedOut")));
  for (const page of pages) {
    assert.equal(await userOf(page), undefined);
    assert.deepEqual(await accessToken(page), {});
    assert.deepEqual((await changesOf(page)).at(-1), ["signOut", undefined]);
  }
  assert.equal(gate.count("/auth/logout"), 1);
});

test("a sign-out holds in all tabs before the server has answered", async (t) => {
  const { pages: [first, second], gate } = await tabs(t, 2);
  await waitForStatus(second, "signedIn");
  const held = gate.hold("/auth/logout");
  const leaving = signOut(first);
  await waitForStatus(second, "signedOut");
  assert.equal(await first.evaluate(() => session.status), "signedOut");
  held.release();
  assert.deepEqual(await leaving, {});
});

for (const answers of [false, true]) {
  const where = answers ? "on its way back" : "on its way";
  for (const same of [true, false]) {
    const tab = same ? "the tab" : "another tab";
    test(`a refresh ${where} signs nobody in after a sign-out in ${tab}`, async (t) => {
      const { pages, gate, options, context } = await tabs(t, 2, { clock: true });
      const [first, second] = pages;
      await waitForStatus(second, "signedIn");
      const held = gate.hold("/auth/refresh", { answers });
      await sleep(second, 14.9 * MINUTES);
      const asked = accessToken(second);
      await gate.reached("/auth/refresh", 1);
      const leaving = signOut(same ? second : first);
      assert.deepEqual(await asked, {}, "no token for who asked");
      held.release();
      assert.deepEqual(await leaving, {});
      for (const page of pages) {
        assert.equal(await page.evaluate(() => session.status), "signedOut");
        assert.equal((await changesOf(page)).at(-1)[0], "signOut");
      }
      const third = await openTab(context, w.site, options);
      assert.deepEqual(await resume(third), {}, "nor by the cookie");
    });
  }
}

test("a sign-in under way ends with a sign-out in another tab", async (t) => {
  const { pages: [first, second], gate } = await tabs(t, 2);
  await waitForStatus(second, "signedIn");
  const held = gate.hold("/auth/login", { answers: true });
  const entering = signIn(second, w.bob);
  await gate.reached("/auth/login", 2);
  const leaving = signOut(first);
  assert.equal((await entering).code, "client.signed_out");
  held.release();
  await leaving;
  assert.deepEqual(await Promise.all([first, second].map(userOf)), [undefined, undefined]);
  assert.deepEqual(await resume(second), {});
});

test("a sign-in while the page still resumes is not lost", async (t) => {
  const { context, options, gate } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const held = gate.hold("/auth/refresh");
  const resuming = resume(page);
  await gate.reached("/auth/refresh", 1);
  const entering = signIn(page, w.alice);
  held.release();
  assert.equal((await entering).value.sub, w.alice.id);
  await resuming;
  assert.equal(await userOf(page), w.alice.id);
});

test("a sign-in reaches all tabs", async (t) => {
  const { pages: [first, second] } = await tabs(t, 2);
  await signOut(first);
  await waitForStatus(second, "signedOut");
  await signIn(second, w.bob);
  await waitForStatus(first, "signedIn");
  assert.equal(await userOf(first), w.bob.id);
  assert.equal((await accessToken(first)).value, (await accessToken(second)).value);
});

test("another user who signs in in one tab is the user of all", async (t) => {
  const { pages: [first, second], gate } = await tabs(t, 2, { clock: true });
  await waitForStatus(second, "signedIn");
  await signIn(second, w.bob);
  await first.waitForFunction((id) => session.user?.sub === id, w.bob.id);
  assert.deepEqual(await changesOf(first), [["signIn", w.alice.id], ["signIn", w.bob.id]]);
  await sleep(first, 14.9 * MINUTES);
  await accessToken(first);
  assert.equal(await userOf(first), w.bob.id);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("a session that the server ended is over in all tabs", async (t) => {
  const { pages, gate } = await tabs(t, 3, { clock: true });
  await Promise.all(pages.map((page) => waitForStatus(page, "signedIn")));
  const token = (await accessToken(pages[0])).value;
  await w.server.send("DELETE", "/sessions", undefined, { authorization: `Bearer ${token}` });
  await sleep(pages[1], 14.9 * MINUTES);
  assert.deepEqual(await accessToken(pages[1]), {});
  await Promise.all(pages.map((page) => waitForStatus(page, "signedOut")));
  for (const page of pages) assert.deepEqual((await changesOf(page)).at(-1), ["ended", undefined]);
  assert.equal(gate.count("/auth/refresh"), 1);
});

test("who signed in elsewhere is found by one tab, and told to the others", async (t) => {
  const { context, options, pages: [first, second] } = await tabs(t, 2);
  await signOut(first);
  await waitForStatus(second, "signedOut");
  // Another app of the same site, which has the cookie but not the ear of these tabs.
  await attempt(second, ([server, account]) =>
    fetch(`${server}/api/sso/v1/auth/login`, {
      method: "POST", credentials: "include", headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...account, transport: "cookie" }),
    }).then(({ status }) => status),
  [options.server, { identifier: w.bob.identifier, secret: w.bob.secret }]);
  assert.equal((await resume(second)).value.sub, w.bob.id);
  await waitForStatus(first, "signedIn");
  assert.equal(await userOf(first), w.bob.id);
  const third = await openTab(context, w.site, options);
  assert.equal((await resume(third)).value.sub, w.bob.id);
});

test("tabs of another tenant, server or origin hear nothing", async (t) => {
  const { context, options, pages: [first] } = await tabs(t, 1);
  const gate = options.server;
  const others = [
    await openTab(context, w.site, { ...options, tenant: "default" }),
    await openTab(context, w.site, { server: `${gate}/t/default` }),
    await openTab(context, w.site, { server: w.server.base }),
    await openTab(context, w.site, options, { host: "127.0.0.1" }),
  ];
  await signIn(first, w.bob);
  const ear = await openTab(context, w.site, options);
  await resume(ear);
  for (const other of others) assert.equal(await userOf(other), undefined);
});

test("what is no word of ours in the channel is not heeded", async (t) => {
  const { context, options, pages: [page] } = await tabs(t, 1);
  const other = await openTab(context, w.site, options);
  const token = (await accessToken(page)).value;
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  await other.evaluate(async (server) => {
    const name = `usso ${server}/api/sso/v1 `;
    const channel = new BroadcastChannel(name);
    const era = Date.now() + 1000;
    const words = [
      null, 1, "out", [], {}, { kind: "out" }, { kind: "out", era: "9" }, { kind: "out", era: NaN },
      { kind: "over", era: Infinity }, { kind: "toString", era }, { kind: "token", era },
      { kind: "token", era, access: 1, life: 1, since: 1 },
      { kind: "token", era, access: "a\nb", life: 900_000, since: Date.now() },
      { kind: "token", era, access: "e30.e30.x", life: 900_000, since: Date.now() },
      { kind: "trouble", era, attempt: 1 },
    ];
    for (const word of words) channel.postMessage(word);
    channel.close();
  }, options.server);
  assert.equal((await resume(other)).value.sub, w.alice.id);
  assert.equal((await accessToken(page)).value, token);
  assert.deepEqual(errors, []);
});

test("a tab alone, without locks and channels, shares one refresh and signs out", async (t) => {
  const { context, options, gate } = await w.open(t);
  await context.addInitScript(() => {
    delete globalThis.BroadcastChannel;
    Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined });
  });
  const page = await openTab(context, w.site, options, { clock: true });
  await signIn(page, w.alice);
  await sleep(page, 14.9 * MINUTES);
  const { value } = await attempt(page, () =>
    Promise.all([session.accessToken(), session.accessToken(), session.resume()]));
  assert.equal(value[0], value[1]);
  assert.equal(gate.count("/auth/refresh"), 1);
  assert.deepEqual(await signOut(page), {});
  assert.deepEqual(await resume(page), {});
});

test("two tabs without locks and channels that refresh at once stay signed in", async (t) => {
  const { context, options, gate } = await w.open(t);
  await context.addInitScript(() => {
    delete globalThis.BroadcastChannel;
    Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined });
  });
  const pages = [await openTab(context, w.site, options), await openTab(context, w.site, options)];
  await signIn(pages[0], w.alice);
  await load(pages[0], w.site, options);
  const held = gate.hold("/auth/refresh");
  const resuming = pages.map(resume);
  await gate.reached("/auth/refresh", 2);
  held.release();
  const users = await Promise.all(resuming);
  assert.deepEqual(users.map(({ value }) => value?.sub), [w.alice.id, w.alice.id]);
  assert.equal(gate.count("/auth/refresh"), 3);
});

test("a tab that is closed while it refreshes does not keep the others waiting", async (t) => {
  const { pages: [first, second], gate } = await tabs(t, 2, { clock: true });
  await waitForStatus(second, "signedIn");
  const held = gate.hold("/auth/refresh");
  await sleep(first, 14.9 * MINUTES);
  await sleep(second, 14.9 * MINUTES);
  accessToken(first).catch(() => undefined);
  await gate.reached("/auth/refresh", 1);
  const asked = accessToken(second);
  await first.close();
  await gate.reached("/auth/refresh", 2);
  held.release();
  assert.match((await asked).value, /^ey/);
});

test("a renewed token reaches the other tabs", async (t) => {
  const { pages: [first, second], gate } = await tabs(t, 2, { clock: true });
  await waitForStatus(second, "signedIn");
  await sleep(first, 14.9 * MINUTES);
  await accessToken(first);
  await second.waitForFunction(() => changes.at(-1)[0] === "renewed");
  assert.equal((await accessToken(first)).value, (await accessToken(second)).value);
  assert.equal(gate.count("/auth/refresh"), 1);
});

/** Gives the words that a tab says, as another hears them. */
const listenTo = (page, server) =>
  page.evaluate((server) => {
    window.words = [];
    window.channel = new BroadcastChannel(`usso ${server}/api/sso/v1 `);
    channel.onmessage = ({ data }) => words.push(data);
  }, server);

test("a token of before the sign-out is not taken up after it", async (t) => {
  const { context, options, pages: [first, second] } = await tabs(t, 2);
  await waitForStatus(second, "signedIn");
  const ear = await context.newPage();
  await ear.goto(`${w.site.origin("localhost")}/empty`);
  await listenTo(ear, options.server);
  await signIn(first, w.alice);
  await ear.waitForFunction(() => words.length === 1);
  await signOut(first);
  await ear.waitForFunction(() => words.length === 2);
  await waitForStatus(second, "signedOut");
  await ear.evaluate(() => {
    const [token, out] = words;
    channel.postMessage(token);
    channel.postMessage({ ...token, era: out.era });
  });
  const third = await openTab(context, w.site, options);
  await signIn(third, w.bob);
  for (const page of [first, second]) {
    await waitForStatus(page, "signedIn");
    const last = (await changesOf(page)).slice(-2);
    assert.deepEqual(last, [["signOut", undefined], ["signIn", w.bob.id]]);
  }
});

test("an older token of the session does not take the place of a newer one", async (t) => {
  const { context, options, pages: [first] } = await tabs(t, 1, { clock: true });
  const ear = await context.newPage();
  await ear.goto(`${w.site.origin("localhost")}/empty`);
  await listenTo(ear, options.server);
  await signIn(first, w.alice);
  await ear.waitForFunction(() => words.length === 1);
  await sleep(first, 14.9 * MINUTES);
  const { value } = await accessToken(first);
  await ear.waitForFunction(() => words.length >= 3);
  await ear.evaluate(() => {
    channel.postMessage(words[0]);
    channel.postMessage({ kind: "ask" });
  });
  await ear.waitForFunction((access) => words.at(-1).access === access, value);
  assert.equal((await accessToken(first)).value, value);
});

/** Has the page take the turn, until `release` is called there. */
const takeTurn = (page, server) =>
  page.evaluate((server) => new Promise((taken) => {
    navigator.locks.request(`usso ${server}/api/sso/v1 `, () => {
      taken();
      return new Promise((resolve) => (window.release = resolve));
    });
  }), server);

test("a sign-out does not end the session of somebody who signed in meanwhile", async (t) => {
  const { context, options, pages: [page], gate } = await tabs(t, 1);
  const other = await context.newPage();
  await other.goto(`${w.site.origin("localhost")}/empty`);
  await listenTo(other, options.server);
  await takeTurn(other, options.server);
  const leaving = signOut(page);
  await other.waitForFunction(() => words.some(({ kind }) => kind === "out"));
  await other.evaluate(() => {
    const access = `e30.${btoa('{"sub":"user:later"}')}.x`;
    const { era } = words.find(({ kind }) => kind === "out");
    channel.postMessage({ kind: "token", era: era + 1, access, life: 900_000, since: Date.now() });
  });
  await waitForStatus(page, "signedIn");
  await other.evaluate(() => release());
  assert.deepEqual(await leaving, {});
  assert.equal(await userOf(page), "user:later");
  assert.equal(gate.count("/auth/logout"), 0);
});

test("a sign-out does not wait for a tab that never gives way", async (t) => {
  const { context, options, pages: [page], gate } = await tabs(t, 1);
  const other = await context.newPage();
  await other.goto(`${w.site.origin("localhost")}/empty`);
  await takeTurn(other, options.server);
  assert.deepEqual(await signOut(page), {});
  assert.equal(gate.count("/auth/logout"), 1);
});

test("what a tab renewed that hears late of a sign-out is signed out as well", async (t) => {
  const { context, options } = await w.open(t);
  const page = await openTab(context, w.site, options);
  const told = await page.evaluate(async ({ server, account }) => {
    // Another tab of the page, as far as this one can tell.
    const other = new BroadcastChannel(`usso ${server}/api/sso/v1 `);
    const words = [];
    const heard = (kind) => new Promise((resolve) => {
      other.addEventListener("message", ({ data }) => {
        words.push(data);
        if (data.kind === kind) resolve(data);
      });
    });
    const renewed = heard("token");
    await session.signIn(account);
    const token = await renewed;
    const out = heard("out");
    await session.signOut();
    const { era } = await out;
    const again = heard("out");
    other.postMessage({ ...token, era: era + 1000, since: Date.now() });
    const later = await Promise.race([again, new Promise((done) => setTimeout(done, 3000))]);
    return { later: later?.era - era, status: session.status, user: session.user };
  }, { server: options.server, account: w.alice });
  assert.deepEqual(told, { later: 1001, status: "signedOut", user: undefined });
});
