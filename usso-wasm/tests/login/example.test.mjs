import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch } from "../browser.mjs";
import { startExample } from "./support/example.mjs";
import { openGate } from "./support/gate.mjs";
import { startServer } from "./support/server.mjs";

const w = {};
before(async () => {
  w.browser = await launch();
  w.server = await startServer();
  w.example = await startExample(w.server);
  w.alice = await w.server.user("alice");
});
after(async () => {
  await w.browser?.close();
  await w.example?.stop();
  await w.server?.stop();
});

async function open(t, address = w.example.address) {
  const context = await w.browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy|TypeError/.test(message.text())) page.errors.push(message.text());
  });
  await page.goto(address);
  return page;
}

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();

/** Signs in by keyboard alone. */
async function enter(page, secret = w.alice.secret) {
  await heading(page, "Sign in");
  await page.getByLabel("E-mail, phone or user name").fill(w.alice.identifier);
  await page.keyboard.press("Tab");
  await page.keyboard.type(secret);
  await page.keyboard.press("Enter");
}

test("somebody signs in, sees who they are, calls the API and signs out", async (t) => {
  const page = await open(t);
  await enter(page);
  await heading(page, "You are signed in");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
  assert.equal(await page.locator("#sub").textContent(), w.alice.id);
  await page.getByRole("button", { name: "Call the API" }).click();
  const answer = page.getByRole("status", { name: "Answer of the API" });
  await answer.waitFor();
  assert.match(await answer.textContent(), new RegExp(`^200\n[^]*${w.alice.id}`));
  await page.reload();
  await heading(page, "You are signed in");
  await page.getByRole("button", { name: "Sign out" }).click();
  await heading(page, "Sign in");
  await page.getByText("You are signed out.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "identifier");
  await page.reload();
  await heading(page, "Sign in");
  assert.deepEqual(page.errors, []);
});

test("who comes for the first time is not told of a session that is over", async (t) => {
  const page = await open(t);
  await heading(page, "Sign in");
  assert.equal(await page.locator("#news").textContent(), "");
  assert.equal(await page.getByRole("alert").textContent(), "");
});

test("a wrong password is announced, and can be corrected at once", async (t) => {
  const page = await open(t);
  await enter(page, "not the words");
  await page.getByRole("alert").filter({ hasText: "password is wrong" }).waitFor();
  const secret = page.getByLabel("Password");
  assert.equal(await secret.getAttribute("aria-invalid"), "true");
  assert.equal(await page.evaluate(() => document.activeElement.id), "secret");
  await page.keyboard.type(w.alice.secret);
  await page.keyboard.press("Enter");
  await heading(page, "You are signed in");
  assert.equal(await page.getByRole("alert").textContent(), "");
  assert.equal(await secret.inputValue(), "", "the password does not stay in the page");
});

test("an account is created", async (t) => {
  const page = await open(t);
  await heading(page, "Sign in");
  await page.getByLabel("E-mail, phone or user name").fill("new@example.com");
  await page.getByLabel("Password").fill("seven quiet rivers 42");
  await page.getByRole("button", { name: "Create an account" }).click();
  await heading(page, "You are signed in");
});

test("a second tab is signed in, too, and signs out with the first", async (t) => {
  const page = await open(t);
  await enter(page);
  await heading(page, "You are signed in");
  const [second] = await Promise.all([
    page.context().waitForEvent("page"),
    page.getByRole("link", { name: "Open a second tab" }).click(),
  ]);
  await heading(second, "You are signed in");
  await second.getByRole("button", { name: "Sign out" }).click();
  await heading(page, "Sign in");
});

test("a server that cannot be reached is said to be, and asked again", async (t) => {
  const gate = await openGate(w.server);
  const example = await startExample({ base: gate.base, password: w.server.password });
  t.after(async () => {
    await example.stop();
    await gate.stop();
  });
  const outage = gate.answer("/auth/refresh", 503);
  const page = await open(t, example.address);
  await heading(page, "No answer");
  outage.end();
  await page.getByRole("button", { name: "Try again now" }).click();
  await heading(page, "Sign in");
});

test("the API answers nobody else", async () => {
  for (const headers of [{}, { authorization: "Bearer x" }]) {
    const answer = await fetch(`${w.example.address}/api/whoami`, { headers });
    assert.equal(answer.status, 401);
  }
});

test("the program serves no other files", async () => {
  for (const path of ["/serve.mjs", "/package.json", "/usso/../serve.mjs", "/usso/%2e%2e/x.js",
    "/usso//etc/passwd", "/%00", "/usso/package.json/..%2f..%2fserve.mjs"]) {
    const answer = await fetch(`${w.example.address}${path}`);
    assert.notEqual(answer.status, 200, path);
  }
});

for (const [what, width] of [["a desktop", 1280], ["a phone", 320]]) {
  test(`nothing sticks out on the screen of ${what}`, async (t) => {
    const page = await open(t);
    await page.setViewportSize({ width, height: 600 });
    const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    await heading(page, "Sign in");
    assert.ok(await fits());
    await enter(page);
    await heading(page, "You are signed in");
    await page.getByRole("button", { name: "Call the API" }).click();
    await page.getByRole("status", { name: "Answer of the API" }).waitFor();
    assert.ok(await fits());
  });
}
