/** Signatures by the Web Cryptography API, which browsers, edge workers and Deno have. */

import { unavailable } from "./error.js";
import { type CryptographyLater, KeyCache, type SignatureQuestion } from "./platform.js";

type Parameters = RsaHashedImportParams & EcKeyImportParams & RsaPssParams & EcdsaParams;

/** Makes it; it keeps the keys that it has seen. */
export function webCryptography(): CryptographyLater {
  const keys: Keys = new KeyCache();
  return { verify: (question) => verify(keys, question) };
}

type Keys = KeyCache<Promise<CryptoKey>>;

async function verify(keys: Keys, question: SignatureQuestion): Promise<boolean> {
  const { algorithm, thumbprint, jwk, message, signature } = question;
  const parameters = PARAMETERS[algorithm];
  if (parameters === undefined) return false;
  const name = `${algorithm} ${thumbprint}`;
  let key = keys.get(name);
  if (key === undefined) {
    key = crypto.subtle.importKey("jwk", publicKey(jwk()), parameters, false, ["verify"]);
    keys.set(name, key);
  }
  try {
    return await crypto.subtle.verify(parameters, await key, signature, message);
  } catch (error) {
    keys.drop(name);
    // Nothing is signed with a point off its curve. Of other keys it cannot be told: workerd takes no
    // RSA key with an unusual exponent.
    const { name: problem } = error as Partial<DOMException>;
    if (parameters.name === "ECDSA" && problem !== "NotSupportedError") return false;
    throw unavailable(undefined, error);
  }
}

/** Leaves out what platforms compare with their own list of names. */
function publicKey(text: string): JsonWebKey {
  const { kty, crv, x, y, n, e } = JSON.parse(text) as JsonWebKey;
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as JsonWebKey;
}

const PARAMETERS: Readonly<Record<string, Parameters>> = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  PS256: { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 },
} as unknown as Readonly<Record<string, Parameters>>;
