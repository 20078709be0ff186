/** What differs from platform to platform: who verifies elliptic-curve and RSA signatures. */

/** Verifies signatures by keys that the verifier has checked. */
export interface Cryptography {
  /** Says whether the signature is the key's; `key` is its RFC 7638 thumbprint. */
  verify(question: SignatureQuestion): Promise<boolean>;
  /** The same at once, where the platform can. */
  verifySync?(question: SignatureQuestion): boolean;
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

export function cryptography(): Cryptography {
  if (chosen === undefined) throw new Error("usso was not started: import it by its name");
  return chosen;
}

/** Keeps a bounded number of keys, those that were used last: proofs of DPoP bring their own. */
export class KeyCache<K> {
  readonly #keys = new Map<string, K>();

  find(name: string, make: () => K): K {
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = make();
      if (this.#keys.size >= KEYS) {
        const { value: oldest } = this.#keys.keys().next();
        this.#keys.delete(oldest as string);
      }
    } else {
      this.#keys.delete(name);
    }
    this.#keys.set(name, key);
    return key;
  }

  drop(name: string): void {
    this.#keys.delete(name);
  }
}

const KEYS = 256;
