/** Signatures by Node's own cryptography, which is the fastest there and needs no promise. */

import { type KeyObject, constants, createPublicKey, verify } from "node:crypto";

import { type Cryptography, KeyCache, type SignatureQuestion } from "./platform.js";

const keys = new KeyCache<KeyObject>();

export const nodeCryptography: Cryptography = {
  verify: async (question) => verifySync(question),
  verifySync,
};

function verifySync({ algorithm, thumbprint, jwk, message, signature }: SignatureQuestion): boolean {
  const key = keys.find(thumbprint, () =>
    createPublicKey({ key: JSON.parse(jwk()), format: "jwk" }),
  );
  switch (algorithm) {
    case "ES256":
      return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "ES384":
      return verify("sha384", message, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "RS256":
      return verify("sha256", message, key, signature);
    case "PS256": {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify("sha256", message, { key, padding, saltLength: 32 }, signature);
    }
    default:
      return false;
  }
}
