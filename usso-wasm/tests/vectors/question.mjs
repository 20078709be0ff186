/** Puts questions, spelt in JSON, to a platform's cryptography. Runs on every platform. */

/** Gives the names of those that are judged otherwise than they should be. */
export async function misjudged(verify, signatures) {
  const wrong = [];
  for (const { name, question, isRefused, good } of signatures) {
    const said = isRefused ? false : await verify(asked(question)).catch((error) => `${error}`);
    if (said !== good) wrong.push(`${name}: ${said}`);
  }
  return wrong;
}

function asked({ algorithm, thumbprint, jwk, message, signature }) {
  return {
    algorithm,
    thumbprint,
    jwk: () => jwk,
    message: bytes(message),
    signature: bytes(signature),
  };
}

function bytes(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}
