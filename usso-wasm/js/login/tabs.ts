/** What the tabs of an origin tell each other, and whose turn it is. */

/**
 * What a tab says. Of two words, the one of the later era counts: each sign-in and sign-out begins
 * one.
 */
export type Word =
  /** An access token; `life` and `since` as of a token. */
  | { kind: "token"; era: number; access: string; life: number; since: number }
  /** The user signed out. */
  | { kind: "out"; era: number }
  /** The server ended the session. */
  | { kind: "over"; era: number }
  /** The server cannot be asked for so many milliseconds. */
  | { kind: "trouble"; era: number; attempt: number; wait: number; code: string; message: string;
      status: number }
  /** Who has a token? */
  | { kind: "ask" }
  /** Nobody is signed in, as far as this tab knows. */
  | { kind: "nobody"; era: number };

/** The tabs that share a cookie, by the server's address and the tenant. */
export class Tabs {
  readonly #name: string;
  readonly #channel: BroadcastChannel | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(name: string, hear: (word: Word) => void) {
    this.#name = `usso ${name}`;
    // Where there is no page, as on a server, there are no tabs.
    if (typeof BroadcastChannel === "undefined" || typeof location === "undefined") return;
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      // Pages without an origin have none.
      return;
    }
    this.#channel.onmessage = ({ data }) => {
      if (isWord(data)) hear(data);
    };
  }

  /** Whether others can hear and be heard. */
  get isOpen(): boolean {
    return this.#channel !== undefined;
  }

  say(word: Word): void {
    this.#channel?.postMessage(word);
  }

  /**
   * Does the work while no other tab does work of this kind; where the platform has no locks, no
   * other caller in this tab. The work is told whether it had to wait. The signal ends the waiting,
   * not the work.
   */
  async alone<T>(signal: AbortSignal, work: (waited: boolean) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
    if (locks !== undefined) {
      const name = this.#name;
      const first = await locks.request(name, { ifAvailable: true }, async (lock) => {
        signal.throwIfAborted();
        return lock === null ? undefined : { done: await work(false) };
      });
      if (first !== undefined) return first.done;
      return (await locks.request(name, { signal }, () => work(true))) as T;
    }
    const mine = this.#queue.then(() => {
      signal.throwIfAborted();
      return work(false);
    });
    this.#queue = mine.catch(() => undefined);
    return mine;
  }

  /**
   * Notes that the user wants to be signed out, until the server knows it: it may be out of reach
   * now, and the page may be loaded anew before it is not.
   */
  noteLeaving(era: number): void {
    this.#stored((storage) => storage.setItem(this.#name, String(era)));
  }

  noteLeft(): void {
    this.#stored((storage) => storage.removeItem(this.#name));
  }

  /** The era in which the user signed out without the server knowing it yet. */
  get leaving(): number | undefined {
    const noted = this.#stored((storage) => storage.getItem(this.#name));
    return noted == null ? undefined : Number(noted);
  }

  close(): void {
    this.#channel?.close();
  }

  #stored<T>(use: (storage: Storage) => T): T | undefined {
    try {
      return typeof location === "undefined" ? undefined : use(localStorage);
    } catch {
      // Forbidden by the user, or full.
      return undefined;
    }
  }
}

/** Another version of the app may be speaking. */
function isWord(data: unknown): data is Word {
  if (typeof data !== "object" || data === null || !("kind" in data)) return false;
  const { kind, era, life, since, attempt, wait, status } = data as Record<string, unknown>;
  const are = (...values: unknown[]): boolean => values.every(Number.isFinite);
  switch (kind) {
    case "ask":
      return true;
    case "token":
      return are(era, life, since);
    case "trouble":
      return are(era, attempt, wait, status);
    default:
      return are(era) && ["out", "over", "nobody"].includes(String(kind));
  }
}
