/**
 * What verifying a token costs, beside `jose` and `fast-jwt`, in one process: `cargo xtask bench javascript`.
 *
 * Each figure is the processor time of a verification in µs, the best of many short rounds that take
 * turns, so that all meet the same neighbours. Everybody checks issuer, audience, times and signature,
 * and hands out the claims.
 */

import { createPublicKey, verify as raw } from "node:crypto";

import { createVerifier as createFastVerifier } from "fast-jwt";
import { exportJWK, exportSPKI, generateKeyPair, jwtVerify, SignJWT } from "jose";
import { createVerifier } from "usso";

const ISSUER = "https://sso.example";
const AUDIENCE = "https://api.example";
const TOKENS = 10_000;
const ROUNDS = 40;
const BARS = { EdDSA: 115, ES256: 80, RS256: 35, hot: 1.5 };

const rows = [];
for (const algorithm of ["EdDSA", "ES256", "RS256"]) rows.push(...(await measure(algorithm)));
console.log(`Node ${process.version}, ${rows[0].characters} characters a token; µs of processor time\n`);
for (const { characters, ...row } of rows) {
  console.log(Object.values(row).map((cell, at) => String(cell).padEnd(at === 1 ? 44 : 8)).join(""));
}

async function measure(algorithm) {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: algorithm, use: "sig" };
  const tokens = [];
  for (let number = 0; number < TOKENS; number++) tokens.push(await token(algorithm, privateKey, number));

  const settings = { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } };
  const cold = createVerifier({ ...settings, tokenCache: { entries: 0 } });
  const hot = createVerifier(settings);
  const fast = { key: await exportSPKI(publicKey), allowedIss: ISSUER, allowedAud: AUDIENCE };
  const fastCold = createFastVerifier({ ...fast, cache: false });
  const fastHot = createFastVerifier({ ...fast, cache: TOKENS });
  const checks = { issuer: ISSUER, audience: AUDIENCE };
  for (const each of tokens) {
    hot.verifySync(each);
    fastHot(each);
  }

  const key = createPublicKey({ key: jwk, format: "jwk" });
  const parts = tokens.slice(0, 200).map((each) => {
    const end = each.lastIndexOf(".");
    return [Buffer.from(each.slice(0, end)), Buffer.from(each.slice(end + 1), "base64url")];
  });
  const hash = algorithm === "EdDSA" ? null : "sha256";
  const signed = algorithm === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key;

  const figures = await rounds([
    ["raw signature, `node:crypto`", 200, (at) => raw(hash, parts[at][0], signed, parts[at][1])],
    ["usso, verifySync", 200, (at) => cold.verifySync(tokens[at]).sub],
    ["usso, await verify", 200, async (at) => (await cold.verify(tokens[at])).sub],
    ["jose, await jwtVerify", 200, async (at) => (await jwtVerify(tokens[at], publicKey, checks)).payload.sub],
    ["fast-jwt", 200, (at) => fastCold(tokens[at]).sub],
    ["usso, one token again", 20_000, () => hot.verifySync(tokens[0]).sub],
    ["usso, one token again, await verify", 20_000, async () => (await hot.verify(tokens[0])).sub],
    ["usso, 10,000 live tokens", TOKENS, (at) => hot.verifySync(tokens[at]).sub],
    ["fast-jwt, one token again", 20_000, () => fastHot(tokens[0]).sub],
    ["fast-jwt, 10,000 live tokens", TOKENS, (at) => fastHot(tokens[at]).sub],
  ]);
  return figures.map(([name, micros], at) => ({
    algorithm,
    name,
    micros: micros.toFixed(2),
    bar: name.startsWith("usso") ? `≤ ${at < 5 ? BARS[algorithm] : BARS.hot}` : "",
    characters: tokens[0].length,
  }));
}

/** Takes turns; gives the best round of each. */
async function rounds(works) {
  const best = works.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, [, times, work]] of works.entries()) {
      const isAsync = work.constructor.name === "AsyncFunction";
      const before = process.cpuUsage();
      if (isAsync) for (let number = 0; number < times; number++) await work(number);
      else for (let number = 0; number < times; number++) work(number);
      const { user, system } = process.cpuUsage(before);
      best[at] = Math.min(best[at], (user + system) / times);
    }
  }
  return works.map(([name], at) => [name, best[at]]);
}

function token(alg, key, number) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    jti: `01981b7a-7c1e-7c3a-9d55-${String(number).padStart(12, "0")}`,
    token_type: "access",
    session_id: `session:01981b7a-${number}`,
    tenant_id: "org_mycompany",
    workspace_id: "ws_engineering",
    roles: ["member", "editor"],
    scopes: ["read:files", "update:files/own", "read:users?user_id=user:1"],
    acr: "aal1",
    amr: ["pwd"],
    auth_time: now,
  };
  const signing = new SignJWT(claims).setProtectedHeader({ alg, kid: "k1", typ: "at+jwt" });
  signing.setIssuer(ISSUER).setSubject(`user:${number}`).setAudience(AUDIENCE);
  return signing.setIssuedAt(now).setNotBefore(now).setExpirationTime("1h").sign(key);
}
