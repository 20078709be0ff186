/** What goes wrong when somebody signs in or stays signed in. */

/**
 * A refusal of the server, or a failure to ask it. Holds no secret and no token.
 *
 * `code` is the server's `error_code`, such as `password.not_valid`, or one of ours:
 *
 * - `client.closed`: the session was closed;
 * - `client.signed_out`: the user signed out before this was done;
 * - `client.user_changed`: another user signed in before this request was sent;
 * - `config.invalid`: a setting is wrong; the message names it;
 * - `sso.bad_answer`: the server's answer cannot be read;
 * - `sso.refused`: the server refused and did not say why;
 * - `sso.unreachable`: there was no answer, or the server does not allow this origin.
 */
export class UssoLoginError extends Error {
  override readonly name = "UssoLoginError";
  /** The stable code. */
  readonly code: string;
  /** The HTTP status of the server's answer; 0 if there was none. */
  readonly status: number;
  /** In how many seconds it may be tried again, if that is known. */
  readonly retryAfter: number | undefined;
  /** Which field is meant, where one is. */
  readonly detail: string | undefined;

  constructor(
    code: string,
    message: string,
    status = 0,
    more: { retryAfter?: number | undefined; detail?: string | undefined } = {},
  ) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = more.retryAfter;
    this.detail = more.detail;
  }
}

export function closed(): UssoLoginError {
  return new UssoLoginError("client.closed", "The session object was closed.");
}

export function signedOut(): UssoLoginError {
  return new UssoLoginError("client.signed_out", "The user signed out.");
}

export function userChanged(): UssoLoginError {
  return new UssoLoginError("client.user_changed", "Another user signed in.");
}

export function wrongSetting(message: string): UssoLoginError {
  return new UssoLoginError("config.invalid", message);
}

export function unreachable(): UssoLoginError {
  const message = "The SSO cannot be reached, or it does not allow the origin of this page.";
  return new UssoLoginError("sso.unreachable", message);
}

export function badAnswer(status: number): UssoLoginError {
  return new UssoLoginError("sso.bad_answer", "The SSO's answer cannot be read.", status);
}

/** The same error, with another time to wait. */
export function after(error: UssoLoginError, seconds: number): UssoLoginError {
  const { code, message, status, detail } = error;
  return new UssoLoginError(code, message, status, { retryAfter: seconds, detail });
}
