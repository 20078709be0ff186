/** What differs from platform to platform: who verifies elliptic-curve and RSA signatures. */

/** Verifies signatures by keys that the verifier has checked: at once, or later. */
export type Cryptography = CryptographyAtOnce | CryptographyLater;

export interface CryptographyAtOnce {
  /** Takes in a key; its name is its RFC 7638 thumbprint. */
  learn(thumbprint: string, jwk: string): void;
  /** Says whether the signature is the key's; nothing if the key is not known. */
  verifyNow(
    algorithm: string,
    thumbprint: string,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean | undefined;
}

export interface CryptographyLater {
  /** Says whether the signature is the key's. */
  verify(question: SignatureQuestion): Promise<boolean>;
}

/** A signature to verify. Who asks has decided on key and algorithm. */
export interface SignatureQuestion {
  readonly algorithm: string;
  readonly thumbprint: string;
  /** The key as a JWK in JSON; read only if the platform does not know the key yet. */
  readonly jwk: () => string;
  readonly message: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
}

let chosen: Cryptography | undefined;

/** Every entry of the package chooses once. */
export function use(cryptography: Cryptography): void {
  chosen = cryptography;
}

/** Gives the cryptography that answers later, if that is the platform's. */
export function later(): CryptographyLater | undefined {
  return chosen !== undefined && "verify" in chosen ? chosen : undefined;
}

/** For the WebAssembly: 0 for bad, 1 for good, 2 for an unknown key, 3 if it is not told now. */
export function verifyNow(
  algorithm: string,
  thumbprint: string,
  message: Uint8Array,
  signature: Uint8Array,
): number {
  if (chosen === undefined || !("learn" in chosen)) return 3;
  try {
    const good = chosen.verifyNow(algorithm, thumbprint, message, signature);
    return good === undefined ? 2 : Number(good);
  } catch {
    // An error must not pass through the WebAssembly, whose locks would stay as they are.
    return 3;
  }
}

/** For the WebAssembly: takes in a key. */
export function learn(thumbprint: string, jwk: string): void {
  if (chosen !== undefined && "learn" in chosen) chosen.learn(thumbprint, jwk);
}

/** Keeps a bounded number of keys, those that were used last: proofs of DPoP bring their own. */
export class KeyCache<K> {
  readonly #keys = new Map<string, K>();

  get(name: string): K | undefined {
    const key = this.#keys.get(name);
    if (key !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, key);
    }
    return key;
  }

  set(name: string, key: K): void {
    if (this.#keys.size >= KEYS) {
      const { value: oldest } = this.#keys.keys().next();
      this.#keys.delete(oldest as string);
    }
    this.#keys.set(name, key);
  }

  drop(name: string): void {
    this.#keys.delete(name);
  }
}

const KEYS = 256;
