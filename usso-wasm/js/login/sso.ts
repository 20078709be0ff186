/** Requests to the server that have to do with its cookie. */

import { badAnswer, unreachable, UssoLoginError, wrongSetting } from "./error.js";
import { type Token, tokenOf } from "./token.js";

/** The server, as pages of this origin ask it. */
export class Sso {
  /** Of the server, with the path of its API. */
  readonly api: string;
  readonly origin: string;
  readonly #tenant: string | undefined;

  /** Throws `config.invalid`. */
  constructor(server: string, tenant: string | undefined, dangerAllowHttp: boolean) {
    const url = urlOf(server, "server");
    if (url.username !== "" || url.password !== "" || /[?#]/.test(server)) {
      throw wrongSetting("`server` has a user name, a query or a fragment");
    }
    if (url.protocol !== "https:" && !(url.protocol === "http:" && isNear(url))) {
      if (url.protocol !== "http:" || !dangerAllowHttp) {
        throw wrongSetting("`server` must begin with https://");
      }
    }
    if (tenant !== undefined && !/^[A-Za-z0-9_-]{1,128}$/.test(tenant)) {
      throw wrongSetting("`tenant` is neither the id nor the short name of a tenant");
    }
    this.origin = url.origin;
    this.api = `${url.origin}${url.pathname.replace(/\/+$/, "")}/api/sso/v1`;
    this.#tenant = tenant;
  }

  /** Asks for an access token; the refresh token comes and goes in the cookie. */
  async token(path: string, body: object | undefined, signal: AbortSignal): Promise<Token> {
    const since = Date.now();
    const [status, text] = await this.#post(path, { body, signal });
    const answer = objectIn(text);
    if (answer === undefined) throw badAnswer(status);
    const { access_token: access, expires_in: seconds } = answer;
    return tokenOf(access, typeof seconds === "number" ? seconds * 1000 : undefined, since);
  }

  /** Ends the session of the cookie, else that of the access token. Also good if it was over. */
  async logout(access: string | undefined, signal: AbortSignal): Promise<void> {
    try {
      await this.#post("/auth/logout", { access, keepalive: true, signal });
    } catch (error) {
      if (error instanceof UssoLoginError && error.status === 401) return;
      throw error;
    }
  }

  async #post(path: string, asked: Asked): Promise<[status: number, text: string]> {
    const { body, access, keepalive = false, signal } = asked;
    const headers = new Headers({ accept: "application/json" });
    if (body !== undefined) headers.set("content-type", "application/json");
    if (access !== undefined) headers.set("authorization", `Bearer ${access}`);
    if (this.#tenant !== undefined) headers.set("x-tenant-id", this.#tenant);
    const request: RequestInit = {
      method: "POST",
      headers,
      keepalive,
      cache: "no-store",
      credentials: "include",
      redirect: "error",
    };
    if (body !== undefined) request.body = JSON.stringify(body);
    const [response, text] = await bounded(signal, async (within) => {
      const response = await fetch(this.api + path, { ...request, signal: within });
      return [response, await response.text()] as const;
    });
    if (!response.ok) throw refusal(response, text);
    return [response.status, text];
  }
}

interface Asked {
  body?: object | undefined;
  access?: string | undefined;
  /** Lets the request go on when the page is left. */
  keepalive?: boolean;
  signal: AbortSignal;
}

/** Does the work until it is done, given up by the signal, or takes too long. */
async function bounded<T>(
  signal: AbortSignal,
  work: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const control = new AbortController();
  const give = (): void => control.abort(signal.reason);
  signal.addEventListener("abort", give, { once: true });
  const timer = setTimeout(() => control.abort(unreachable()), ANSWER_MILLISECONDS);
  try {
    return await work(control.signal);
  } catch {
    // What the platform says names addresses, and differs from browser to browser.
    throw control.signal.aborted ? control.signal.reason : unreachable();
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", give);
  }
}

/** Reads `{"error_code", "message": {"en"}, "detail"}`. */
function refusal(response: Response, text: string): UssoLoginError {
  const { error_code: code, message, detail } = objectIn(text) ?? {};
  const english = isObject(message) ? message["en"] : message;
  const wait = Number(response.headers.get("retry-after") || Number.NaN);
  return new UssoLoginError(
    typeof code === "string" ? code : "sso.refused",
    typeof english === "string" ? english : `The SSO answered with status ${response.status}.`,
    response.status,
    {
      retryAfter: wait >= 0 && wait < 1e9 ? wait : undefined,
      detail: typeof detail === "string" ? detail : undefined,
    },
  );
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Gives the origins of the setting. Throws `config.invalid`. */
export function originsOf(given: readonly string[], dangerAllowHttp: boolean): string[] {
  return given.map((text) => {
    const url = urlOf(text, "apiOrigins");
    const { origin, protocol } = url;
    const isPrivate = protocol === "https:" || (protocol === "http:" && (isNear(url) || dangerAllowHttp));
    if (!isPrivate) throw wrongSetting("a member of `apiOrigins` does not begin with https://");
    if (text.includes("*") || (text !== origin && text !== `${origin}/`)) {
      throw wrongSetting("a member of `apiOrigins` is no origin such as https://api.example.com");
    }
    return origin;
  });
}

function urlOf(text: string, setting: string): URL {
  try {
    return new URL(text);
  } catch {
    throw wrongSetting(`\`${setting}\` holds no URL`);
  }
}

/** Nobody is between this machine and itself. */
function isNear({ hostname }: URL): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

const ANSWER_MILLISECONDS = 20_000;
