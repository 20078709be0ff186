import assert from "node:assert/strict";
import test from "node:test";

import { UssoError } from "usso";
import { usso } from "usso/express";

import { serveNode } from "./servers.mjs";
import { CLAIMS, codeOf, differences, exchange, world } from "./table.mjs";

for (const [name, version] of [
  ["Express 5", "express"],
  ["Express 4", "express4"],
]) {
  const { default: express } = await import(version);

  test(`${name} answers as the table says`, async (t) => {
    const everything = await world();
    const auth = usso(everything.verifier);
    const app = express();
    app.disable("x-powered-by");
    const sub = (req, res) => res.type("text").send(req.user.sub);
    app.all("/me", auth.require(), sub);
    app.get("/maybe", auth.optional(), (req, res) =>
      res.type("text").send(req.user?.sub ?? "nobody"),
    );
    app.get("/claims", auth.require(), (req, res) => {
      const { color } = req.user.claims;
      res
        .status(color === undefined ? 403 : 200)
        .type("text")
        .send(color ?? "no color");
    });
    app.get("/files", auth.require("read:files"), sub);
    app.get("/users/:id", auth.require("read:users?user_id={id}"), sub);
    app.get("/policy/:id", auth.require({ scope: ["read:users?user_id={id}"] }), sub);
    app.get("/admin", auth.require({ role: "admin" }), sub);
    app.get("/machine", auth.require({ service: true }), sub);
    app.get("/w/:workspace/notes", auth.require({ workspace: "{workspace}" }), sub);
    app.get("/t/:tenant/notes", auth.require({ tenant: "{tenant}" }), sub);
    app.get("/payments", auth.require({ maxAge: 300 }), sub);
    app.get("/panic", auth.require(), () => {
      throw new Error("of the app");
    });
    // Else Express writes the stack of every error to the console.
    app.use((error, req, res, next) => res.status(500).end());
    const port = await serveNode(t, app);
    assert.deepEqual(await differences(port, everything, CLAIMS), []);
  });

  test(`${name}: two guards on one route take one proof, also behind a router`, async (t) => {
    const { issuer, verifier, prover } = await world();
    const [auth, again] = [usso(verifier), usso(verifier)];
    const api = express.Router();
    api.get("/me", again.require(), auth.optional(), (req, res) => res.send(auth.user(req).sub));
    const app = express().use("/api", auth.require(), api);
    const port = await serveNode(t, app);
    const token = await issuer.mint({ cnf: { jkt: prover.jkt } });
    const headers = [
      ["authorization", `DPoP ${token}`],
      ["dpop", await prover.proof("GET", "/api/me", token)],
    ];
    assert.equal((await exchange(port, "GET", "/api/me", headers)).body, "user:1");
    const replayed = await exchange(port, "GET", "/api/me", headers);
    assert.deepEqual([replayed.status, codeOf(replayed.body)], [401, "dpop.replayed"]);
  });

  test(`${name}: what handlers throw is answered, whether it is a refusal or not`, async (t) => {
    const { issuer, verifier } = await world();
    const auth = usso(verifier);
    const app = express();
    app.get("/refused", auth.require(), async (req, res, next) => {
      try {
        verifier.check(req.user, { role: "admin" });
      } catch (error) {
        next(error);
      }
    });
    app.get("/failed", auth.require(), (req, res, next) => next(new Error("of the app")));
    app.use(auth.onError, (error, req, res, next) => res.status(500).send(error.message));
    const port = await serveNode(t, app);
    const headers = [["authorization", await issuer.authorization()]];
    const refused = await exchange(port, "GET", "/refused", headers);
    assert.deepEqual([refused.status, codeOf(refused.body)], [403, "access.role"]);
    const failed = await exchange(port, "GET", "/failed", headers);
    assert.deepEqual([failed.status, failed.body], [500, "of the app"]);
  });
}

test("rules that are none are refused when the route is made", async () => {
  const auth = usso((await world()).verifier);
  const wrong = [
    "raed:files",
    "",
    [],
    [""],
    undefined,
    null,
    7,
    { scope: undefined },
    { scopes: "read:files" },
    { role: [] },
    { role: null },
    { maxAge: Number.NaN },
    { role: "" },
    { maxAge: "soon" },
    { service: "yes" },
    { scope: [undefined] },
  ];
  for (const wanted of wrong) {
    const refused = (error) => error instanceof UssoError && error.code === "config.invalid";
    assert.throws(() => auth.require(wanted), refused, JSON.stringify(wanted));
    assert.throws(() => auth.upgrade(wanted), refused);
  }
  assert.throws(() => usso({ issuer: "https://sso.example" }), { code: "config.invalid" });
});
