import express from "express";
import { createVerifier } from "usso";
import { usso } from "usso/express";

const { ISSUER = "http://localhost:8000", AUDIENCE = ISSUER, PORT = "3000" } = process.env;

// Finds the issuer's keys by discovery when the first token comes, and keeps them fresh.
const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE });
const auth = usso(verifier);
const app = express();

app.get("/", auth.optional(), (req, res) => {
  res.send(`hello, ${req.user?.sub ?? "stranger"}\n`);
});

app.get("/me", auth.require(), (req, res) => {
  const { sub, roles, scopes } = req.user;
  res.json({ sub, roles, scopes });
});

// With the scope `read:files?owner=7` the files of 7, with `read:files` those of everybody.
app.get("/files/:owner", auth.require("read:files?owner={owner}"), (req, res) => {
  res.send(`files of ${req.params.owner}\n`);
});

app.delete("/files", auth.require({ role: "admin", maxAge: 300 }), (req, res) => {
  res.send("all gone, by somebody who signed in a moment ago\n");
});

const server = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
