/** The caller, and what may be asked of them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { createVerifier, UserData } from "usso";

import { AUDIENCE, issuer, refused } from "./kit.mjs";

const CLAIMS = {
  iss: "https://sso.example",
  sub: "user:1",
  aud: ["a", "b"],
  exp: 4_000_000_000,
  iat: 1_750_000_000,
  auth_time: 1_750_000_001,
  roles: ["editor"],
  scopes: ["manage:files", "read:invoices?user_id=7"],
  amr: ["pwd", "otp"],
  acr: "aal2",
  jti: "t1",
  client_id: "c1",
  token_type: "access",
  session_id: "s1",
  tenant_id: "t1",
  workspace_id: "w1",
  user_id: "u1",
  email: "a@b.example",
};

test("every getter gives its claim", () => {
  const user = UserData.of(CLAIMS);
  const { claims, ...getters } = Object.fromEntries(
    Object.keys(Object.getOwnPropertyDescriptors(UserData.prototype))
      .filter((name) => name !== "constructor" && typeof user[name] !== "function")
      .map((name) => [name, user[name]]),
  );
  assert.deepEqual(getters, {
    sub: "user:1",
    iss: "https://sso.example",
    aud: ["a", "b"],
    exp: 4_000_000_000,
    iat: 1_750_000_000,
    authTime: 1_750_000_001,
    roles: ["editor"],
    scopes: ["manage:files", "read:invoices?user_id=7"],
    amr: ["pwd", "otp"],
    acr: "aal2",
    jti: "t1",
    clientId: "c1",
    tokenType: "access",
    sessionId: "s1",
    tenantId: "t1",
    workspaceId: "w1",
    userId: "u1",
    email: "a@b.example",
    isService: false,
  });
  assert.deepEqual(user.toJSON(), CLAIMS);
  assert.deepEqual(JSON.parse(JSON.stringify({ user })), { user: CLAIMS });
});

test("what is not there is undefined, or empty", () => {
  const user = UserData.of({ iss: "i", sub: "service:x", aud: "a", exp: 4_000_000_000 });
  assert.deepEqual([user.aud, user.roles, user.scopes, user.amr], [["a"], [], [], []]);
  for (const name of [
    "iat",
    "authTime",
    "acr",
    "jti",
    "clientId",
    "tokenType",
    "sessionId",
    "tenantId",
  ]) {
    assert.equal(user[name], undefined, name);
  }
  assert.equal(user.userId, "service:x");
  assert.ok(user.isService);
});

test("a claim of another kind than it should be is no text", () => {
  const odd = {
    email: 7,
    jti: ["x"],
    tenant_id: { toString: "x" },
    user_id: "",
    workspace_id: null,
  };
  let user;
  try {
    user = UserData.of({ ...CLAIMS, ...odd });
  } catch (error) {
    assert.equal(error.code, "token.malformed");
    return;
  }
  assert.deepEqual(
    [user.email, user.jti, user.tenantId, user.userId],
    [undefined, undefined, undefined, "user:1"],
  );
});

test("scopes are read from `scope` too, as OAuth writes them", () => {
  const user = UserData.of({ ...CLAIMS, scopes: undefined, scope: "read:a read:b" });
  assert.deepEqual(user.scopes, ["read:a", "read:b"]);
});

test("what is no caller is not made one", async () => {
  for (const odd of [
    {},
    { sub: 1 },
    { ...CLAIMS, exp: "x" },
    { ...CLAIMS, sub: [1] },
    null,
    7,
    "x",
    [],
    undefined,
  ]) {
    await refused(() => UserData.of(odd), "token.malformed", 401);
  }
});

test("a caller has a scope that is granted, or granted by a greater one", () => {
  const user = UserData.of(CLAIMS);
  for (const scope of ["manage:files", "read:files", "update:files", "read:invoices?user_id=7"]) {
    assert.equal(user.hasScope(scope), true, scope);
  }
  for (const scope of [
    "owner:files",
    "read:invoices",
    "read:invoices?user_id=8",
    "read:*",
    "",
    "read:",
    "\ud800",
    "x".repeat(1e6),
  ]) {
    assert.equal(user.hasScope(scope), false, scope.slice(0, 20));
  }
  for (const odd of [
    undefined,
    null,
    7,
    {},
    [],
    ["manage:files"],
    { toString: () => "manage:files" },
  ]) {
    assert.equal(user.hasScope(odd), false);
  }
});

test("a caller has the roles they have", () => {
  const user = UserData.of(CLAIMS);
  assert.equal(user.hasRole("editor"), true);
  for (const odd of ["Editor", "edit", "", undefined, ["editor"], "length", "0"])
    assert.equal(user.hasRole(odd), false);
});

test("a caller may do what a scope allows with the resource", () => {
  const user = UserData.of(CLAIMS);
  assert.equal(user.can("delete", "files"), true);
  assert.equal(user.can("read", "invoices", { user_id: "7" }), true);
  assert.equal(user.can("read", "invoices", { user_id: "8" }), false);
  assert.equal(user.can("read", "invoices", {}), false);
  assert.equal(user.can("read", "invoices"), false);
  assert.equal(user.can("update", "invoices", { user_id: "7" }), false);
  assert.equal(user.can("publish", "files"), false);
  assert.equal(user.can("read", ""), false);
});

test("what is needed is all needed", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const now = Math.floor(Date.now() / 1000);
  const token = await own.mint({
    roles: ["editor"],
    scopes: ["read:files"],
    tenant_id: "t1",
    workspace_id: "w1",
    auth_time: now - 100,
    acr: "aal2",
  });
  const good = [
    undefined,
    {},
    { scope: "read:files" },
    { scope: ["read:files"], role: "editor" },
    { role: ["editor"] },
    { tenant: "t1" },
    { tenant: "{t}", params: { t: "t1" } },
    { workspace: "w1" },
    { maxAge: 200 },
    { acr: ["aal2", "aal3"] },
    { service: false },
    { scope: "read:files?user_id={id}", params: { id: "7" } },
  ];
  for (const needed of good)
    assert.equal((await verifier.verify(token, needed)).sub, "user:1", JSON.stringify(needed));
  const bad = [
    [{ scope: "update:files" }, "access.scope", 403],
    [{ scope: ["read:files", "read:users"] }, "access.scope", 403],
    [{ role: ["editor", "admin"] }, "access.role", 403],
    [{ tenant: "t2" }, "access.tenant", 403],
    [{ tenant: "{t}", params: { t: "t2" } }, "access.tenant", 403],
    [{ workspace: "w2" }, "access.workspace", 403],
    [{ service: true }, "access.service", 403],
    [{ maxAge: 50 }, undefined, 401],
    [{ acr: "aal3" }, undefined, 401],
  ];
  for (const [needed, code, status] of bad) {
    for (const work of [
      verifier.verify(token, needed),
      Promise.resolve().then(() => verifier.verifySync(token, needed)),
    ]) {
      const error = await work.then(assert.fail, (error) => error);
      assert.equal(error.name, "UssoError");
      assert.equal(error.status, status, JSON.stringify(needed));
      if (code !== undefined) assert.equal(error.code, code);
    }
  }
});

test("a part of the path that is not there lets nobody in", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const token = await own.mint({ tenant_id: "t1", scopes: ["*:*"] });
  for (const params of [undefined, {}, { other: "t1" }, Object.create({ t: "t1" })]) {
    await assert.rejects(verifier.verify(token, { tenant: "{t}", params }), { name: "UssoError" });
  }
});

test("a rule that is none is a mistake of the app and lets nobody in", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const token = await own.mint({ scopes: ["*:*"] });
  for (const needed of [
    { scope: "" },
    { scope: "publish:files" },
    { scope: [7] },
    { maxAge: -1 },
    { maxAge: "x" },
    { maxAge: NaN },
    { maxAge: null },
    { tenant: null },
    { scope: null },
    { service: "yes" },
    { role: 7 },
    { tenant: undefined },
    { tenant: "" },
    { scope: [] },
    { scopes: ["read:files"] },
  ]) {
    await assert.rejects(
      verifier.verify(token, needed),
      { name: "UssoError", status: 500 },
      JSON.stringify(needed),
    );
  }
});

test("nobody is no caller", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const error = await refused(() => verifier.check(undefined, {}), "access.token_missing", 401);
  assert.match(error.challenge, /^Bearer/);
  await refused(
    () => verifier.check(undefined, { scope: "read:files" }),
    "access.token_missing",
    401,
  );
});

test("an object that looks like a caller is none", async (t) => {
  const own = await issuer(t);
  const verifier = createVerifier(own.options);
  const fake = { ...UserData.of({ ...CLAIMS, scopes: ["*:*"] }), sub: "admin", scopes: ["*:*"] };
  for (const odd of [fake, Object.create(UserData.prototype), {}, "admin", 7, null]) {
    assert.throws(() => verifier.check(odd, { scope: "read:files" }));
  }
});

test("the audience of a caller is what the token says", async (t) => {
  const own = await issuer(t);
  const user = await createVerifier(own.options).verify(await own.mint({ aud: [AUDIENCE, "b"] }));
  assert.deepEqual(user.aud, [AUDIENCE, "b"]);
});
