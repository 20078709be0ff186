/** Scopes: the values that Rust and Python give. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  checkAccess,
  explainAccess,
  hasSubsetScope,
  parseScope,
  scopeFilters,
  UssoError,
} from "usso";

const MATCHES = [
  ["files", "files", true],
  ["library/files", "files", true],
  ["media/library/files", "files", true],
  ["media//files", "files", true],
  ["media//files", "media/library/files", true],
  ["files", "library/files", true],
  ["*/files", "library/files", true],
  ["*//files", "library/files", true],
  ["//files", "library/files", true],
  ["//files", "media/library/files", true],
  ["media/files/*", "media/files/old", true],
  ["*/*/old", "media/files/old", true],
  ["media/*/old", "media/images/old", true],
  ["files", "file", false],
  ["files", "files/old", false],
  ["files", "media/files/old", false],
  ["media/files", "media/files/old", false],
  ["*/media/*", "old", false],
];

for (const [granted, requested, expected] of MATCHES) {
  test(`${granted} ${expected ? "is" : "is not"} ${requested}, from the right`, () => {
    assert.equal(checkAccess([`read:${granted}`], requested), expected);
  });
}

test("an anchored path is compared from the left", () => {
  const anchored = { matching: "anchored" };
  assert.equal(checkAccess(["read:files"], "media/files"), true);
  assert.equal(checkAccess(["read:files"], "media/files", "read", [], anchored), false);
  assert.equal(checkAccess(["read:media/*"], "media/files", "read", [], anchored), true);
  assert.equal(hasSubsetScope("read:media/files", ["read:files"], anchored), false);
  assert.equal(scopeFilters(["read:files"], "media/files", "read", anchored), undefined);
});

test("a requested path that a user made up matches nothing special", () => {
  for (const path of ["*", "", "a//files", "files/", "../files", "%2e%2e/files"]) {
    assert.equal(checkAccess(["read:finance/files"], path), false, path);
  }
});

test("an unknown action is denied", () => {
  for (const action of ["DELETE", "publish", "", "Read", "none"]) {
    assert.equal(checkAccess(["read:users", "superadmin:*"], "users", action), false, action);
    assert.equal(scopeFilters(["read:users"], "users", action), undefined, action);
  }
});

test("to write is more than to read, and no action is to read", () => {
  assert.equal(checkAccess(["read:users"], "users", "write"), false);
  assert.equal(checkAccess(["write:users"], "users", "update"), true);
  assert.equal(checkAccess(["write:users"], "users", "create"), true);
  assert.equal(checkAccess(["write:users"], "users", "delete"), false);
  assert.equal(checkAccess(["users"], "users"), true);
});

test("all conditions of a scope must hold", () => {
  const scopes = ["read:files?user_id=a&tenant_id=t"];
  const access = (filters) => checkAccess(scopes, "files", "read", filters);
  assert.equal(access({ user_id: "a", tenant_id: "t" }), true);
  assert.equal(access({ user_id: "a", tenant_id: "other" }), false);
  assert.equal(access({ user_id: "a" }), false);
  assert.equal(access([{ user_id: "a" }, { tenant_id: "t" }]), false);
  assert.equal(checkAccess(scopes, "files"), false);
});

test("of several resources one must meet the conditions", () => {
  assert.equal(
    checkAccess(["read:files?uid=1"], "files", "read", [{ uid: "2" }, { uid: "1" }]),
    true,
  );
  assert.equal(checkAccess(["read:files?uid=1"], "files", "read", [{ uid: "2" }]), false);
});

test("a condition is met by what it stands for", () => {
  const table = [
    ["a", "a", true],
    ["a", "b", false],
    ["a*", "abc", true],
    ["%2A", "*", true],
    ["%2A", "x", false],
    ["a%20b", "a b", true],
  ];
  for (const [condition, value, expected] of table) {
    assert.equal(
      checkAccess([`read:files?k=${condition}`], "files", "read", { k: value, other: "x" }),
      expected,
    );
  }
});

test("a scope has action, level, path and filters", () => {
  const { action, level, path, filters } = parseScope("read:media/files?user_id=a%20b");
  assert.deepEqual([action, path, { ...filters }], ["read", "media/files", { user_id: "a b" }]);
  assert.ok(level > 0 && level < 100);
  assert.ok(parseScope("*:*").level >= parseScope("delete:x").level);
  assert.deepEqual(
    { ...parseScope("read:files?__proto__=1").filters },
    JSON.parse('{"__proto__":"1"}'),
  );
  assert.ok(Object.isFrozen(parseScope("read:x?a=b").filters));
});

test("what is no scope is an error and grants nothing", () => {
  for (const scope of ["", "read:", "publish:files", "files?user_id=", "files?x=%zz"]) {
    assert.throws(() => parseScope(scope), { name: "UssoError", code: "call.invalid" }, scope);
    assert.equal(checkAccess([scope], "files", "read", { user_id: "" }), false, scope);
    assert.equal(scopeFilters([scope], "files"), undefined, scope);
    assert.equal(hasSubsetScope(scope, ["*:*"]), false, scope);
  }
});

test("nothing granted is not the same as no limit", () => {
  assert.deepEqual(scopeFilters(["read:files"], "files"), []);
  assert.equal(scopeFilters([], "files"), undefined);
  const limited = scopeFilters(["read:files?user_id=a", "read:files?uid=1"], "files");
  assert.deepEqual(limited, [{ user_id: "a" }, { uid: "1" }]);
});

test("a scope that grants more is no part of another", () => {
  const pairs = [
    ["delete:files", "delete:media/files"],
    ["delete:*/files", "delete:media/files"],
    ["create:files", "read:files"],
    ["read:files", "read:files?user_id=a"],
    ["read:files?user_id=*", "read:files?user_id=a"],
    ["superadmin:*", "*:*"],
    ["admin:users", "admin:usso/lite/users"],
  ];
  for (const [child, parent] of pairs)
    assert.equal(hasSubsetScope(child, [parent]), false, `${child} ${parent}`);
  for (const [child, parent] of [
    ["read:media/files?user_id=1", "read:media/files"],
    ["read:files", "read:*"],
    ["create:files", "*:*"],
  ]) {
    assert.equal(hasSubsetScope(child, ["read:other", parent]), true, `${child} ${parent}`);
  }
});

test("a decision is told in words", () => {
  assert.match(explainAccess(["read:files"], "files"), /read:files/);
  assert.equal(typeof explainAccess([], "files"), "string");
});

test("what is no text, no list or half a character is a refusal, never a yes", () => {
  const odd = [undefined, null, 7, {}, true, "\ud800", [["*:*"]], { 0: "*:*" }];
  for (const value of odd) {
    for (const call of [
      () => checkAccess(value, "files"),
      () => checkAccess(["*:*"], value),
      () => checkAccess([value], "files"),
      () => checkAccess(["read:files?a=*"], "files", "read", { a: value }),
      () => hasSubsetScope(value, ["*:*"]),
      () => hasSubsetScope("read:x", value),
      () => scopeFilters(value, "files"),
      () => parseScope(value),
    ]) {
      let answer;
      try {
        answer = call();
      } catch (error) {
        assert.ok(error instanceof UssoError && error.code === "call.invalid", `${error.stack}`);
        continue;
      }
      assert.ok(
        answer === false || answer === undefined,
        `${String(value)} ${call}: ${JSON.stringify(answer)}`,
      );
    }
  }
});
