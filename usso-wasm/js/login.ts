/**
 * Signs users in at a USSO server from a browser page, and keeps them signed in.
 *
 * # Security
 *
 * The access token is in memory only. The refresh token is in a cookie that no script can read and
 * that only pages of the server's own site send, such as `https://app.example.com` to
 * `https://sso.example.com`; the tenant's `allowed_origins` must list them. Scripts of the page's
 * own origin can get the access token: load none that you do not trust.
 *
 * # Tabs
 *
 * Refresh tokens work once, and tabs share the cookie. So one tab at a time renews (Web Locks) and
 * tells the others (BroadcastChannel). A sign-out ends what is under way in all tabs.
 */

import { fetchAs } from "./login/bearer.js";
import { closed, UssoLoginError } from "./login/error.js";
import { Renewal } from "./login/renewal.js";
import { originsOf, Sso } from "./login/sso.js";
import { Tabs, type Word } from "./login/tabs.js";
import {
  ageOf,
  isDue,
  isOver,
  isSameSession,
  type SessionUser,
  type Token,
  tokenOf,
} from "./login/token.js";
import { type SessionListener, type SessionStatus, Who } from "./login/who.js";

export type { SessionUser } from "./login/token.js";
export type { SessionChange, SessionListener, SessionStatus } from "./login/who.js";
export { UssoLoginError };

export interface SessionOptions {
  /** The server's address, such as `https://sso.example.com`, with `/t/{tenant}` or without. */
  server: string;
  /**
   * The tenant, by id or short name, sent as `X-Tenant-ID`. The cookie is then one for all tenants
   * of the server, and pages of another origin need the default tenant's leave, too (preflights do
   * not name the tenant): put the tenant into `server` where either matters.
   */
  tenant?: string;
  /** To which origins `fetch` sends the token. Default: the page's own and the server's. */
  apiOrigins?: readonly string[];
  /** Takes a server over http on another machine: who is between reads passwords and tokens. */
  dangerAllowHttp?: boolean;
}

export interface Credentials {
  /** An e-mail address, a phone number with country code, or a user name. */
  identifier: string;
  /** The password. */
  secret: string;
  /** The kind of identifier. Default: the server finds out. */
  type?: "email" | "phone" | "username";
}

export interface Account extends Credentials {
  /** What to call the user. */
  name?: string;
}

/**
 * Makes the session of this page. It asks nobody until it is used. Throws a {@link UssoLoginError}
 * with the code `config.invalid`.
 */
export function createSession(options: SessionOptions): Session {
  return new Session(options);
}

/** Who is signed in on this page. Make one for each server. */
export class Session {
  readonly #sso: Sso;
  readonly #tabs: Tabs;
  readonly #who: Who;
  readonly #renewal: Renewal;
  readonly #origins: ReadonlySet<string>;
  readonly #over = new AbortController();
  /** Of the session that the user signed out of last. */
  #left: Token | undefined;

  constructor(options: SessionOptions) {
    const { server, tenant, apiOrigins, dangerAllowHttp = false } = options;
    this.#sso = new Sso(server, tenant, dangerAllowHttp);
    const own = typeof location === "undefined" ? "null" : location.origin;
    const near = own === "null" ? [] : [own];
    const others = originsOf(apiOrigins ?? [], dangerAllowHttp);
    this.#origins = new Set(apiOrigins === undefined ? [...near, this.#sso.origin] : others);
    this.#tabs = new Tabs(`${this.#sso.api} ${tenant ?? ""}`, (word) => this.#hear(word));
    this.#who = new Who(() => this.#renewal.changed());
    const leave = (era: number): Promise<void> => this.#leave(era);
    this.#renewal = new Renewal(this.#sso, this.#tabs, this.#who, leave);
    this.#watch();
  }

  /** Whether somebody is signed in, as far as it is known. */
  get status(): SessionStatus {
    return this.#who.status;
  }

  /** The claims of the access token, for display; `undefined` if nobody is signed in. */
  get user(): SessionUser | undefined {
    return this.#who.token?.user;
  }

  /**
   * Signs in. Throws a {@link UssoLoginError} with the server's code: `password.not_valid`,
   * `password.limited` and so on.
   */
  async signIn({ identifier, secret, type }: Credentials): Promise<SessionUser> {
    return this.#enter("/auth/login", { identifier, secret, type });
  }

  /**
   * Creates an account and signs in. Throws as `signIn` does: `user.identifier_taken` and so on.
   */
  async register({ identifier, secret, type, name }: Account): Promise<SessionUser> {
    return this.#enter("/auth/register", { identifier, secret, type, name });
  }

  /**
   * Signs out: at once in all tabs, then at the server. Throws a {@link UssoLoginError} if the
   * server cannot be told: the tabs are signed out all the same, and it is told at the next
   * occasion.
   */
  async signOut(): Promise<void> {
    this.#requireOpen();
    const era = this.#who.nextEra();
    const { token } = this.#who;
    this.#left = token;
    this.#tabs.noteLeaving(era);
    this.#out(era);
    await this.#inTurn(() => this.#leave(era, token?.access));
  }

  /** Signs all tabs out. */
  #out(era: number): void {
    this.#tabs.say({ kind: "out", era });
    this.#who.end(era, "signOut");
  }

  /**
   * Finds out who is signed in, by another tab or the cookie; call it when the page is loaded.
   * Throws a {@link UssoLoginError} if that cannot be told at present: the session tries again by
   * itself.
   */
  async resume(): Promise<SessionUser | undefined> {
    this.#requireOpen();
    this.#renewal.now();
    const { token } = this.#who;
    if (token === undefined || isDue(token)) await this.#renewal.after(token);
    return this.user;
  }

  /**
   * Gives the access token, renewed if it is about to end; `undefined` if nobody is signed in.
   * Throws a {@link UssoLoginError} if it cannot be renewed at present: the session goes on.
   */
  async accessToken(): Promise<string | undefined> {
    this.#requireOpen();
    const { token, status } = this.#who;
    if (status === "signedOut") return undefined;
    if (token !== undefined && !isDue(token)) return token.access;
    try {
      await this.#renewal.after(token);
    } catch (error) {
      if (token === undefined || this.#who.token !== token || isOver(token)) throw error;
    }
    return this.#who.token?.access;
  }

  /**
   * Does as the platform's `fetch`, with the access token if the request goes to one of
   * `apiOrigins` and has no `Authorization` of its own. An answer of 401 leads to one renewal and
   * one repetition, unless the token is new or the body is a stream, which is gone.
   *
   * With the token, a redirect to another origin is an error, and so is any redirect by another
   * origin than the page's. Throws a {@link UssoLoginError} where `accessToken` does, and with the
   * code `client.user_changed` or `client.signed_out` if the user is another one when it could be
   * sent.
   */
  readonly fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const bearer = {
      user: () => this.user,
      accessToken: () => this.accessToken(),
      accessTokenAfter: (refused: string) => this.#accessTokenAfter(refused),
    };
    return fetchAs(bearer, this.#origins, input, init);
  };

  /** Calls the listener with every change, until the function that this gives is called. */
  subscribe(listener: SessionListener): () => void {
    return this.#who.subscribe(listener);
  }

  /** Forgets the token and stops listening. Signs nobody out. */
  close(): void {
    this.#over.abort(closed());
    this.#who.close(closed());
    this.#renewal.stop();
    this.#tabs.close();
  }

  async #enter(path: string, body: object): Promise<SessionUser> {
    this.#requireOpen();
    const { signal } = this.#who;
    return this.#tabs.alone(signal, async () => {
      const { leaving } = this.#tabs;
      // This sign-in takes the cookie away from a session that is still to be ended.
      if (leaving !== undefined) await this.#leave(leaving).catch(() => undefined);
      const asked = { ...body, transport: "cookie" };
      const token = await this.#sso.token(path, asked, signal);
      signal.throwIfAborted();
      this.#tabs.noteLeft();
      const era = this.#who.nextEra();
      this.#renewal.tell(token, era);
      this.#who.adopt(token, era);
      return token.user;
    });
  }

  /** Tells the server that the user signed out. To be called in turn. */
  async #leave(era: number, access?: string): Promise<void> {
    // Somebody has signed in since then, and the cookie is theirs.
    if (this.#who.era > era && this.#who.status === "signedIn") return;
    await this.#sso.logout(access, this.#over.signal);
    this.#tabs.noteLeft();
  }

  /** Does the work in turn, or out of turn if another tab does not give way. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE);
    try {
      await this.#tabs.alone(patience.signal, () => {
        clearTimeout(timer);
        return work();
      });
    } catch (error) {
      if (!patience.signal.aborted) throw error;
      await work();
    }
  }

  /** A token that is new is not exchanged again: what refuses it would refuse the next one, too. */
  async #accessTokenAfter(refused: string): Promise<string | undefined> {
    const { token } = this.#who;
    if (token?.access === refused) {
      if (ageOf(token) < NEW) return undefined;
      await this.#renewal.after(token);
    }
    const access = this.#who.token?.access;
    return access === refused ? undefined : access;
  }

  #hear(word: Word): void {
    const who = this.#who;
    const { token, status } = who;
    switch (word.kind) {
      case "ask":
        if (token !== undefined && !isDue(token)) this.#renewal.tell(token, who.era);
        else if (token === undefined && who.era > 0) {
          this.#tabs.say({ kind: "nobody", era: who.era });
        }
        return;
      case "nobody":
        if (status === "unknown") who.era = Math.max(who.era, word.era);
        return;
      case "token":
        return this.#hearToken(word);
      case "trouble":
        if (word.era >= who.era && status !== "signedOut") this.#renewal.hear(word);
        return;
      default:
        if (word.era < who.era) return;
        if (status === "signedOut") who.era = word.era;
        else who.end(word.era, word.kind === "out" ? "signOut" : "ended");
    }
  }

  #hearToken({ era, access, life, since }: Word & { kind: "token" }): void {
    const { era: own, status, token } = this.#who;
    if (era < own || (era === own && status === "signedOut")) return;
    if (era === own && token !== undefined && token.since >= since) return;
    try {
      const heard = tokenOf(access, life, since);
      // A tab that heard late of the sign-out has renewed what the server ends.
      if (isOf(heard, this.#left)) this.#out(era + 1);
      else this.#who.adopt(heard, era);
    } catch (error) {
      // It is of another version of the app.
      if (!(error instanceof UssoLoginError)) throw error;
    }
  }

  #watch(): void {
    if (typeof document === "undefined") return;
    const { signal } = this.#over;
    document.addEventListener("visibilitychange", () => this.#renewal.tick(), { signal });
    addEventListener("online", () => this.#online(), { signal });
    addEventListener("pageshow", (event) => this.#shown(event), { signal });
  }

  #online(): void {
    const { leaving } = this.#tabs;
    if (leaving !== undefined && leaving >= this.#who.era) {
      this.#inTurn(() => this.#leave(leaving)).catch(() => undefined);
    } else {
      this.#renewal.now();
      this.#renewal.tick();
    }
  }

  /** A page that was kept for the button "back" has heard nothing in the meantime. */
  #shown({ persisted }: PageTransitionEvent): void {
    if (!persisted || this.#who.status === "unknown") return;
    this.#renewal.after(this.#who.token).catch(() => undefined);
  }

  #requireOpen(): void {
    this.#over.signal.throwIfAborted();
  }
}

/** Whether a token is surely of the session of another. */
function isOf(token: Token, left: Token | undefined): boolean {
  const isNamed = typeof token.user["session_id"] === "string";
  return isNamed && left !== undefined && isSameSession(left, token);
}

/** How long, in milliseconds, a sign-out waits for other tabs. */
const PATIENCE = 2000;
/** For how long, in milliseconds, a token is new. */
const NEW = 10_000;
