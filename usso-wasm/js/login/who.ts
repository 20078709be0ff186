/** Who is signed in, as far as this tab knows, and who listens. */

import { signedOut } from "./error.js";
import { isSameSession, type SessionUser, type Token } from "./token.js";

/** `unknown`: the server has not been asked yet, or has not answered. */
export type SessionStatus = "unknown" | "signedIn" | "signedOut";

/**
 * Why a listener is called: `signIn` (also in another tab, also of another user), `renewed` (the
 * same session goes on; roles and scopes may differ), `signOut` (by the user), `ended` (by the
 * server), `nobody` (it turned out that nobody was signed in).
 */
export type SessionChange = "signIn" | "renewed" | "signOut" | "ended" | "nobody";

export type SessionListener = (user: SessionUser | undefined, change: SessionChange) => void;

export class Who {
  status: SessionStatus = "unknown";
  token: Token | undefined;
  /** When the last sign-in or sign-out was that this tab knows of, in milliseconds. */
  era = 0;
  readonly #listeners = new Set<SessionListener>();
  readonly #changed: () => void;
  #underWay = new AbortController();

  /** `changed` is called before the listeners are. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Ends what is under way for the one who signs out. */
  get signal(): AbortSignal {
    return this.#underWay.signal;
  }

  /** The era of a sign-in or sign-out that happens now. */
  nextEra(): number {
    return Math.max(this.era + 1, Date.now());
  }

  adopt(token: Token, era: number): void {
    const before = this.token;
    this.era = Math.max(this.era, era);
    this.token = token;
    this.status = "signedIn";
    const goesOn = before !== undefined && isSameSession(before, token);
    this.#tell(goesOn ? "renewed" : "signIn");
  }

  /** Forgets the user. The sign-out of a user also ends what is under way, be it a sign-in. */
  end(era: number, change: "signOut" | "ended"): void {
    const isNews = this.status !== "signedOut";
    const wasNobody = change === "ended" && this.token === undefined;
    this.era = Math.max(this.era, era);
    this.token = undefined;
    this.status = "signedOut";
    if (change === "signOut") {
      this.#underWay.abort(signedOut());
      this.#underWay = new AbortController();
    }
    if (isNews) this.#tell(wasNobody ? "nobody" : change);
    else this.#changed();
  }

  /** Ends all for this tab. */
  close(reason: Error): void {
    this.#listeners.clear();
    this.#underWay.abort(reason);
    this.token = undefined;
    this.status = "unknown";
  }

  subscribe(listener: SessionListener): () => void {
    const entry: SessionListener = (...change) => listener(...change);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  #tell(change: SessionChange): void {
    this.#changed();
    const user = this.token?.user;
    for (const listener of [...this.#listeners]) {
      try {
        listener(user, change);
      } catch (error) {
        // Its mistake is not ours; the page's handler of errors sees it.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
