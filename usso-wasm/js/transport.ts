/** Sends the few requests that the verifier asks for, and lets others wait for them. */

import type { FetchRequest, NativeVerifier } from "./native.js";

/** Lets work go on after the response, as the `waitUntil` of an edge worker does. */
export type WaitUntil = (work: Promise<unknown>) => void;

/** The requests of one verifier. */
export class Transport {
  readonly #native: NativeVerifier;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  /** Why the last request came to nothing. */
  trouble: Error | undefined;
  readonly #sent = new Map<number, FetchRequest>();
  readonly #underWay = new Map<number, Promise<void>>();

  constructor(native: NativeVerifier, fetch: typeof globalThis.fetch, now: () => number) {
    this.#native = native;
    this.#fetch = fetch;
    this.#now = now;
  }

  /** Sends a request, and those that follow from it, and gives the verifier what came of them. */
  send(request: FetchRequest): Promise<void> {
    const { number } = request;
    const done = this.#exchange(request).finally(() => {
      if (this.#underWay.get(number) === done) this.#underWay.delete(number);
    });
    this.#underWay.set(number, done);
    return done;
  }

  /**
   * Waits for what another asked for, but not for long: an edge worker drops what it does for a
   * client who left, and nothing else would tell. Then this one asks in its place.
   */
  async wait(number: number): Promise<void> {
    let work = this.#underWay.get(number);
    while (work !== undefined) {
      if (await settledWithin(work, PATIENCE)) return;
      const latest = this.#underWay.get(number);
      if (latest === work) break;
      // Of those who waited as long, one has asked.
      work = latest;
    }
    const request = this.#sent.get(number);
    if (request !== undefined && this.#native.is_under_way(number)) await this.send(request);
  }

  async #exchange(first: FetchRequest): Promise<void> {
    const { number } = first;
    let next: FetchRequest | undefined = first;
    while (next !== undefined) {
      this.#sent.set(number, next);
      const outcome = await exchange(this.#fetch, next);
      this.trouble = troubleOf(next.url, outcome);
      const latest = this.#sent.get(number);
      if (latest !== next) {
        // Another one asked the same and was faster: this one goes on where that one is.
        next = latest;
        continue;
      }
      const told = this.#takeIn(number, outcome);
      next = told === undefined ? undefined : (JSON.parse(told) as FetchRequest);
    }
    this.#sent.delete(number);
  }

  #takeIn(number: number, outcome: Outcome): string | undefined {
    if (outcome instanceof Error) return this.#native.failed(number, "failed", this.#now());
    if (typeof outcome === "string") return this.#native.failed(number, outcome, this.#now());
    const { status, headers, body } = outcome;
    return this.#native.fetched(number, status, headers, body, this.#now());
  }
}

/** What came of a request: an error if there is no answer. */
type Outcome = "timed_out" | "too_large" | Error | Received;

interface Received {
  status: number;
  headers: string[];
  body: Uint8Array;
}

/** Sends one request and waits for so long, also if `fetch` does not heed that it was given up. */
async function exchange(send: typeof fetch, request: FetchRequest): Promise<Outcome> {
  const stop = new AbortController();
  const late = new Promise<Outcome>((resolve) => {
    stop.signal.addEventListener("abort", () => resolve("timed_out"));
  });
  const timer = setTimeout(() => stop.abort(), SECONDS * 1000);
  // The timer of a server that ends must not keep it alive.
  (timer as { unref?: () => void }).unref?.();
  const outcome = await Promise.race([received(send, request, stop.signal), late]);
  clearTimeout(timer);
  if (outcome === "too_large") stop.abort();
  return outcome;
}

/** Follows no redirect and reads no more than allowed. */
async function received(
  send: typeof fetch,
  request: FetchRequest,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    const response = await send(request.url, {
      headers: request.headers,
      redirect: "manual",
      signal,
    });
    const body = await bounded(response, request.max_body_bytes);
    if (body === undefined) return "too_large";
    return { status: response.status, headers: [...response.headers].flat(), body };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Says what is wrong with an answer, for the log of the app. */
function troubleOf(url: string, outcome: Outcome): Error | undefined {
  if (outcome instanceof Error) return new Error(`${url} cannot be asked`, { cause: outcome });
  if (outcome === "timed_out") return new Error(`${url} did not answer in ${SECONDS} s`);
  if (outcome === "too_large") return new Error(`${url} answered more than is allowed`);
  if (outcome.status !== 200) return new Error(`${url} answered ${outcome.status}`);
  return new Error(`${url} answered, but with no usable keys of the token's issuer`);
}

/** Reads a body; nothing if it is longer than allowed. */
async function bounded(response: Response, most: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done || value === undefined) break;
    length += value.length;
    if (length > most) return undefined;
    parts.push(value);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

async function settledWithin(work: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long an exchange may take. */
const SECONDS = 10;
/** How many milliseconds somebody waits for what another asked for. */
const PATIENCE = 1000;
