/** Keeps a session going: one tab at a time exchanges the cookie, and tells the others. */

import { after, UssoLoginError } from "./error.js";
import type { Sso } from "./sso.js";
import type { Tabs, Word } from "./tabs.js";
import { ageOf, isDue, type Token } from "./token.js";
import type { Who } from "./who.js";

/** The server could not be asked. */
interface Trouble {
  readonly attempt: number;
  readonly error: UssoLoginError;
  /** Until when it is not asked again, by `Date.now`. */
  until: number;
}

export class Renewal {
  readonly #sso: Sso;
  readonly #tabs: Tabs;
  readonly #who: Who;
  /** Tells the server of a sign-out that it does not know yet. */
  readonly #leave: (era: number) => Promise<void>;
  #underWay: { signal: AbortSignal; work: Promise<void> } | undefined;
  #trouble: Trouble | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sso: Sso, tabs: Tabs, who: Who, leave: (era: number) => Promise<void>) {
    this.#sso = sso;
    this.#tabs = tabs;
    this.#who = who;
    this.#leave = leave;
  }

  /**
   * Sees to it that there is another token than this one, or that nobody is signed in. Throws a
   * {@link UssoLoginError} if neither can be had at present.
   */
  async after(stale: Token | undefined): Promise<void> {
    if (this.#who.token !== stale) return;
    const { signal } = this.#who;
    if (this.#underWay?.signal !== signal) {
      const work = this.#renew(stale, signal).finally(() => {
        if (this.#underWay?.signal === signal) this.#underWay = undefined;
      });
      this.#underWay = { signal, work };
    }
    try {
      await this.#underWay.work;
    } catch (error) {
      // Who asks for the token of somebody who signed out meanwhile gets none.
      if (this.#who.signal === signal) throw error;
    }
  }

  /** Tries again at once what failed. */
  now(): void {
    if (this.#trouble !== undefined) this.#trouble.until = Date.now();
  }

  /** To be called when somebody signed in or out. */
  changed(): void {
    this.#trouble = undefined;
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Heeds what another tab has found out. */
  hear({ attempt, wait, code, message, status }: Word & { kind: "trouble" }): void {
    const { token } = this.#who;
    // Who has a good token does not have the trouble.
    if (token !== undefined && !isDue(token)) return;
    this.#wait(attempt, Math.min(wait, LONGEST_WAIT), new UssoLoginError(code, message, status));
  }

  tell({ access, life, since }: Token, era: number): void {
    this.#tabs.say({ kind: "token", era, access, life, since });
  }

  /**
   * Renews if it is time, in tabs that somebody looks at. The first attempts after a failure are
   * made in all: the answer may be lost that brought the next cookie, and the server takes the one
   * before for a few seconds only.
   */
  tick(): void {
    const isUrgent = this.#trouble !== undefined && this.#trouble.attempt <= URGENT_ATTEMPTS;
    if (document.hidden && !isUrgent) return;
    const wait = this.#nextTime();
    if (wait === undefined) return;
    if (wait > 0) return this.#schedule();
    // Whoever asks for the token hears of a failure.
    this.after(this.#who.token).catch(() => undefined);
  }

  async #renew(stale: Token | undefined, signal: AbortSignal): Promise<void> {
    this.#requireNoTrouble();
    await this.#tabs.alone(signal, async (waited) => {
      if (await this.#isServed(stale, signal, waited)) return;
      const { leaving } = this.#tabs;
      if (leaving === undefined || leaving < this.#who.era) {
        await this.#exchange(stale, signal);
      } else {
        this.#who.end(leaving, "signOut");
        await this.#leave(leaving);
      }
    });
  }

  /**
   * Asks the other tabs for a token, and waits a moment for one that is on its way: longer after
   * another tab's turn, as what it said may come later than the turn.
   */
  async #isServed(
    stale: Token | undefined,
    signal: AbortSignal,
    waited: boolean,
  ): Promise<boolean> {
    const isServed = (): boolean => {
      signal.throwIfAborted();
      this.#requireNoTrouble();
      return this.#who.token !== stale;
    };
    if (!isServed() && this.#tabs.isOpen) {
      this.#tabs.say({ kind: "ask" });
      const steps = waited ? STEPS_AFTER_TURN : STEPS;
      for (let step = 0; step < steps && !isServed(); step++) await pause(STEP);
    }
    return isServed();
  }

  /** Exchanges the cookie for a token and the next cookie. To be called in turn. */
  async #exchange(stale: Token | undefined, signal: AbortSignal): Promise<void> {
    // What was not known before is a sign-in, later than every sign-out that is known.
    const era = stale === undefined ? this.#who.nextEra() : this.#who.era;
    for (let races = 0; ; races++) {
      try {
        const token = await this.#sso.token("/auth/refresh", undefined, signal);
        signal.throwIfAborted();
        this.tell(token, era);
        return this.#who.adopt(token, era);
      } catch (error) {
        signal.throwIfAborted();
        const isRaced = error instanceof UssoLoginError && error.code === "session.refresh_raced";
        if (!isRaced || races === RACES) return this.#fail(error, era);
      }
      // Whoever was first has set the cookie by then.
      await pause(RACE * (1 + Math.random() / 2));
      signal.throwIfAborted();
      if (this.#who.token !== stale) return;
    }
  }

  /** Ends the session if the server says that it is over; else keeps it, to try again later. */
  #fail(error: unknown, era: number): void {
    if (!(error instanceof UssoLoginError)) throw error;
    const { status, code, message, retryAfter = 0 } = error;
    if (status === 401 || (status === 403 && code !== "sso.refused")) {
      this.#tabs.say({ kind: "over", era });
      this.#who.end(era, "ended");
      if (status === 401) return;
      throw error;
    }
    const attempt = (this.#trouble?.attempt ?? 0) + 1;
    const backOff = Math.min(RACE * 2 ** (attempt - 1), LONGEST_BACK_OFF);
    const wait = Math.max(backOff * (1 + Math.random() / 4), retryAfter * 1000);
    this.#tabs.say({ kind: "trouble", era, attempt, wait, code, message, status });
    throw this.#wait(attempt, Math.min(wait, LONGEST_WAIT), error);
  }

  #wait(attempt: number, wait: number, error: UssoLoginError): UssoLoginError {
    const told = after(error, Math.ceil(wait / 1000));
    this.#trouble = { attempt, until: Date.now() + wait, error: told };
    this.#schedule();
    return told;
  }

  #requireNoTrouble(): void {
    if (this.#trouble !== undefined && Date.now() < this.#trouble.until) throw this.#trouble.error;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const wait = this.#nextTime();
    if (wait === undefined || typeof document === "undefined") return;
    this.#timer = setTimeout(() => this.tick(), Math.min(Math.max(wait, 0), LONGEST_TIMER));
  }

  /** In how many milliseconds something is to be done. */
  #nextTime(): number | undefined {
    if (this.#trouble !== undefined) return this.#trouble.until - Date.now();
    const { token } = this.#who;
    return token && token.renewal - ageOf(token);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * In milliseconds. For a second the server takes a second use of the cookie for a twin of the
 * first.
 */
const RACE = 1200;
const LONGEST_BACK_OFF = 60_000;
const LONGEST_WAIT = 600_000;
const LONGEST_TIMER = 86_400_000;
const STEP = 10;

const STEPS = 6;
const STEPS_AFTER_TURN = 50;
const RACES = 3;
const URGENT_ATTEMPTS = 3;
