/**
 * The verifier in WebAssembly: what `wasm-bindgen` makes of `usso-wasm/src`, and starting it.
 */

import * as bindings from "./wasm/usso_bg.js";
import { call, type Verifier as Native } from "./wasm/usso_bg.js";

export { Asked, Question, Verifier as NativeVerifier, typed, wrong_rule } from "./wasm/usso_bg.js";

/**
 * Starts the WebAssembly. Every entry of the package does this once, before anything else.
 *
 * @internal Its types are not everywhere where the package's are needed.
 */
export function start(module: WebAssembly.Module): void {
  const instance = new WebAssembly.Instance(module, { "./usso_bg.js": { ...bindings } });
  const exports = instance.exports as { memory: WebAssembly.Memory; __wbindgen_start(): void };
  memory = exports.memory;
  bindings.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
}

let memory: WebAssembly.Memory;

/** Where a verifier reads the token that it is asked about. */
export class Inbox {
  readonly #address: number;
  readonly #room: number;
  #bytes: Uint8Array;

  constructor(verifier: Native) {
    this.#address = verifier.inbox();
    this.#room = verifier.room();
    this.#bytes = this.#view();
  }

  /** Puts a token in, as much of it as fits; gives its length in bytes. */
  put(token: string): number {
    // The memory is another one when it has grown.
    if (this.#bytes.length === 0) this.#bytes = this.#view();
    return ENCODER.encodeInto(token, this.#bytes).written;
  }

  #view(): Uint8Array {
    return new Uint8Array(memory.buffer, this.#address, this.#room);
  }
}

const ENCODER = new TextEncoder();

/** What the verifier tells in JSON. */
export interface Told {
  refused?: Refused;
  fetch?: FetchRequest;
  wait?: number;
}

export interface Refused {
  code: string;
  message: string;
  status: number;
  challenge?: string;
  answer: Answer | null;
}

/** Status, headers and body. */
export type Answer = [number, [string, string][], string];

export interface FetchRequest {
  number: number;
  url: string;
  headers: [string, string][];
  max_body_bytes: number;
}

/** Answers a call that needs no verifier. Throws what `refuse` makes of a refusal. */
export function ask<T>(question: object, refuse: (refused: Refused) => Error): T {
  const told = JSON.parse(call(JSON.stringify(question))) as { answer?: T; refused?: Refused };
  if (told.refused !== undefined) throw refuse(told.refused);
  return told.answer as T;
}
