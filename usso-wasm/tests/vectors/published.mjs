/** The signatures of the RFCs. */

import { readFileSync } from "node:fs";

const JOSE = new URL("../../../usso-py/tests/core/vectors/jose.json", import.meta.url);

/** Gives them, of the keys left to platforms, and what comes of changing each byte. */
export function published() {
  const { signatures } = JSON.parse(readFileSync(JOSE, "utf8"));
  return signatures.filter(({ jwk }) => jwk.kty !== "OKP").flatMap(each);
}

function each({ name, jwk, input, signature }) {
  const algorithm = { EC: "ES256", RSA: "RS256" }[jwk.kty];
  const bytes = Buffer.from(signature, "base64url");
  const question = {
    algorithm,
    thumbprint: name,
    jwk: JSON.stringify(jwk),
    message: Buffer.from(input).toString("hex"),
    signature: bytes.toString("hex"),
  };
  const changed = Array.from(bytes, (_, at) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= 1;
    return {
      name: `${name}, ${at}`,
      question: { ...question, signature: copy.toString("hex") },
      good: false,
    };
  });
  const longer = { ...question, message: `${question.message}41` };
  return [
    { name, question, good: true },
    { name: `${name}, longer`, question: longer, good: false },
    ...changed,
  ];
}
