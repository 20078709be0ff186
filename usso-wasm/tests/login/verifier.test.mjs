import assert from "node:assert/strict";
import { test } from "node:test";

import { exportJWK, generateKeyPair, SignJWT } from "jose";

import { world } from "./support/world.mjs";

const STRICT =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src *; img-src 'self'";
const SCRIPT = 'import * as usso from "/usso/web.js"; window.usso = usso;';
const HTML = '<!doctype html><title>verifier</title><script type="module" src="/start.mjs">';
const html = (policy) => ({
  type: "text/html",
  body: `${HTML}</script>`,
  headers: policy === undefined ? {} : { "content-security-policy": policy },
});
const w = world({
  "/start.mjs": { type: "text/javascript", body: SCRIPT },
  "/plain": html(),
  "/strict": html(STRICT),
  "/too-strict": html("default-src 'none'; script-src 'self'; connect-src *"),
});

async function open(t, path) {
  const { context } = await w.open(t);
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  await page.goto(`${w.site.origin("localhost")}${path}`);
  return page;
}

/** Verifies in the page; gives the subject or the code of the refusal. */
const verify = (page, options, tokens, how = "verify") =>
  page.evaluate(async ([options, tokens, how]) => {
    const verifier = usso.createVerifier(options);
    const verdicts = [];
    for (const token of tokens) {
      try {
        verdicts.push((await verifier[how](token)).sub);
      } catch (error) {
        verdicts.push(error.code ?? String(error));
      }
    }
    return verdicts;
  }, [options, tokens, how]);

const tokenOf = async () => {
  const { identifier, secret } = w.alice;
  return (await w.server.post("/auth/login", { identifier, secret })).access_token;
};

/** Changes a bit in the signature. */
const forged = (token) => {
  const [head, body, signature] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  bytes[7] ^= 1;
  return [head, body, bytes.toString("base64url")].join(".");
};

for (const path of ["/plain", "/strict"]) {
  test(`the page ${path} verifies a token of the server by its published keys`, async (t) => {
    const page = await open(t, path);
    await page.waitForFunction(() => window.usso);
    const token = await tokenOf();
    const options = { issuer: w.server.base, audience: w.server.base };
    assert.deepEqual(
      await verify(page, options, [token, forged(token), `${token}x`, ""]),
      [w.alice.id, "token.signature", "token.malformed", "token.malformed"],
    );
    assert.deepEqual(page.errors, []);
  });

  for (const algorithm of ["ES256", "ES384", "RS256", "PS256", "EdDSA"]) {
    test(`the page ${path} verifies ${algorithm}`, async (t) => {
      const page = await open(t, path);
      await page.waitForFunction(() => window.usso);
      const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
      const { privateKey: foreign } = await generateKeyPair(algorithm);
      const mint = (key) =>
        new SignJWT({ token_type: "access" })
          .setProtectedHeader({ alg: algorithm, kid: "one", typ: "at+jwt" })
          .setIssuer("https://issuer.example").setAudience("api").setSubject("user:1")
          .setIssuedAt().setExpirationTime("5 min").setJti("1").sign(key);
      const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: algorithm, use: "sig" };
      const options = { issuer: "https://issuer.example", audience: "api", jwks: { keys: [jwk] } };
      const token = await mint(privateKey);
      assert.deepEqual(
        await verify(page, options, [token, forged(token), await mint(foreign)]),
        ["user:1", "token.signature", "token.signature"],
      );
      const [atOnce] = await verify(page, options, [token], "verifySync");
      assert.equal(atOnce, algorithm === "EdDSA" ? "user:1" : "access.unavailable");
    });
  }
}

test("a policy that forbids WebAssembly is an error of the import", async (t) => {
  const page = await open(t, "/too-strict");
  await page.waitForFunction(() => document.readyState === "complete");
  const message = await page.evaluate(() => import("/usso/web.js").then(() => "", String));
  assert.match(message, /WebAssembly|CompileError/);
});
