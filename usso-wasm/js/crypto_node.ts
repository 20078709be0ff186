/** Signatures by Node's own cryptography, which is the fastest there and answers at once. */

import { type KeyObject, constants, createPublicKey, verify } from "node:crypto";

import { type CryptographyAtOnce, KeyCache } from "./platform.js";

/** Makes it; it keeps the keys that it has learnt. */
export function nodeCryptography(): CryptographyAtOnce {
  const keys = new KeyCache<KeyObject | "none">();
  return {
    learn(thumbprint, jwk) {
      keys.set(thumbprint, keyOf(jwk));
    },
    verifyNow(algorithm, thumbprint, message, signature) {
      const key = keys.get(thumbprint);
      if (key === undefined) return undefined;
      return key !== "none" && isSigned(algorithm, key, message, signature);
    },
  };
}

/** Nothing is signed with what is no key, such as a point off its curve. */
function keyOf(jwk: string): KeyObject | "none" {
  try {
    return createPublicKey({ key: JSON.parse(jwk), format: "jwk" });
  } catch {
    return "none";
  }
}

function isSigned(
  algorithm: string,
  key: KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  switch (algorithm) {
    case "ES256":
      return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "ES384":
      return verify("sha384", message, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "RS256":
      return verify("sha256", message, key, signature);
    case "PS256": {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const options = { key, padding, saltLength: 32 };
      return verify("sha256", message, options, signature);
    }
    default:
      return false;
  }
}
