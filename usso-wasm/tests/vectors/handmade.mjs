/**
 * Tokens that platforms might judge differently: odd keys, odd signatures. In the form of the file of
 * the Rust example `verdicts`; what is expected is what Rust says natively unless noted.
 */

import assert from "node:assert/strict";
import { constants, createSign, generateKeyPairSync, randomBytes, sign } from "node:crypto";

const ISSUER = { issuer: "https://sso.example", audience: "api", profile: "usso" };
const CLAIMS = {
  iss: "https://sso.example",
  sub: "user:1",
  aud: "api",
  exp: 4_000_000_000,
  iat: 1_750_000_000,
  token_type: "access",
};
const PSS = constants.RSA_PKCS1_PSS_PADDING;

export function handmade() {
  const refused = [...spellings(), ...weak()];
  return {
    now: 1_750_000_000,
    later: 2_000_000_000,
    cases: [...rsa(), ...odd(), ...curves()],
    refused,
  };
}

/** Checks what was different. */
export function assertNone({ found, compared }) {
  assert.ok(compared > 50, `${compared} compared`);
  assert.deepEqual(
    found.map((line) => line.slice(0, 200)),
    [],
  );
}

/** RSA signatures of every kind but the one that the key is for. */
function rsa() {
  const { privateKey: key, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pss =
    (saltLength, digest = "sha256") =>
    (message) =>
      sign(digest, message, { key, padding: PSS, saltLength });
  const pkcs1 = (digest) => (message) => sign(digest, message, key);
  const mgf = (message) =>
    createSign("sha256").update(message).sign({ key, padding: PSS, saltLength: 32 });
  return [
    kase("PS256", publicKey, [
      [mgf, "accepted"],
      [pss(32), "accepted"],
      ...[0, 1, 20, 31, 33, 64, 222].map((salt) => [pss(salt), "token.signature"]),
      [pss(32, "sha384"), "token.signature"],
      [pkcs1("sha256"), "token.signature"],
    ]),
    kase("RS256", publicKey, [
      [pkcs1("sha256"), "accepted"],
      ...["sha1", "sha224", "sha384", "sha512", "md5"].map((name) => [
        pkcs1(name),
        "token.signature",
      ]),
      [pss(32), "token.signature"],
    ]),
    kase("RS256", publicKey, [[pss(32), "token.algorithm"]], "PS256"),
    kase("PS256", publicKey, [[pkcs1("sha256"), "token.algorithm"]], "RS256"),
  ];
}

/** Sizes and exponents that Rust takes. */
function odd() {
  const numbers = [
    [2048, 65539],
    [2048, 2 ** 32 - 5],
    [2056, 65537],
    [2049, 65537],
    [3072, 65537],
  ];
  return numbers.flatMap(([modulusLength, publicExponent]) => {
    const { privateKey, publicKey } = rsaPair(modulusLength, publicExponent);
    // As long as a signature, and below the modulus.
    const any = () => Buffer.concat([Buffer.alloc(1), randomBytes(Math.ceil(modulusLength / 8) - 1)]);
    return ["RS256", "PS256"].map((algorithm) => {
      const padding = algorithm === "PS256" ? { padding: PSS, saltLength: 32 } : {};
      const good = (message) => sign("sha256", message, { key: privateKey, ...padding });
      const tokens = [
        [good, "accepted"],
        [any, "token.signature"],
      ];
      return kase(algorithm, publicKey, tokens);
    });
  });
}

function curves() {
  return [
    ["ES256", "P-256", "sha256"],
    ["ES384", "P-384", "sha384"],
  ].flatMap(([alg, curve, digest]) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: curve });
    const other = generateKeyPairSync("ec", { namedCurve: curve }).publicKey.export({
      format: "jwk",
    });
    const signer =
      (name, dsaEncoding = "ieee-p1363") =>
      (message) =>
        sign(name, message, { key: privateKey, dsaEncoding });
    const jwk = publicKey.export({ format: "jwk" });
    return [
      kase(alg, publicKey, [
        [signer(digest), "accepted"],
        [signer("sha512"), "token.signature"],
        [signer(digest, "der"), "token.signature"],
      ]),
      // Rust refuses the key itself; here it is a key that signed nothing.
      keyed(alg, { ...jwk, y: other.y }, [[signer(digest), "token.signature"]]),
      keyed(alg, { ...jwk, x: jwk.y, y: jwk.x }, [[signer(digest), "token.signature"]]),
      keyed(alg, { ...jwk, key_ops: ["verify"], ext: false, x5c: ["?"], x: jwk.x }, [
        [signer(digest), "accepted"],
      ]),
    ];
  });
}

/** One key in other spellings. */
function spellings() {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({
    format: "jwk",
  });
  const longer = (text) =>
    Buffer.concat([Buffer.alloc(1), Buffer.from(text, "base64url")]).toString("base64url");
  const shorter = (text) => Buffer.from(text, "base64url").subarray(1).toString("base64url");
  return [
    { ...ec, alg: "ES256", x: longer(ec.x) },
    { ...ec, alg: "ES256", x: shorter(ec.x) },
    { ...ec, alg: "ES256", y: `${ec.y}=` },
    { ...ec, alg: "ES256", crv: "P-384" },
    { ...ec, alg: "ES384" },
    { ...ec, alg: "RS256" },
    { ...rsa, alg: "RS256", n: longer(rsa.n) },
    { ...rsa, alg: "RS256", e: longer(rsa.e) },
    { ...rsa, alg: "RS256", n: `${rsa.n}==` },
    { ...rsa, alg: "ES256" },
  ].map(refusal);
}

function weak() {
  const made = [
    [1024, 65537],
    [2047, 65537],
    [2048, 3],
    [2048, 257],
  ];
  const keys = made.map(([bits, e]) => rsaPair(bits, e).publicKey.export({ format: "jwk" }));
  return keys.map((jwk) => refusal({ ...jwk, alg: "RS256" }));
}

function rsaPair(modulusLength, publicExponent) {
  return generateKeyPairSync("rsa", { modulusLength, publicExponent });
}

function refusal(jwk) {
  return { config: { issuers: [{ ...ISSUER, jwk }] }, code: "config.invalid" };
}

function kase(algorithm, publicKey, tokens, said = algorithm) {
  return keyed(algorithm, publicKey.export({ format: "jwk" }), tokens, said);
}

function keyed(alg, jwk, tokens, said = alg) {
  const config = { issuers: [{ ...ISSUER, jwks: { keys: [{ ...jwk, alg, kid: "k1" }] } }] };
  const verdicts = tokens.map(([signer, verdict]) => [token(said, signer), verdict, verdict]);
  return { name: `${alg} ${jwk.n?.length ?? jwk.crv} ${jwk.e ?? ""}`, config, verdicts };
}

function token(alg, signer) {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
  const jti = randomBytes(8).toString("hex");
  const message = `${part({ alg, kid: "k1", typ: "at+jwt" })}.${part({ ...CLAIMS, jti })}`;
  return `${message}.${Buffer.from(signer(Buffer.from(message))).toString("base64url")}`;
}
