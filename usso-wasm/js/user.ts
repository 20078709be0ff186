/** The caller, as apps see them. */

import { errorOf, UssoError } from "./error.js";
import { ask, typed } from "./native.js";

/** The claims as the issuer wrote them. Nothing in them can be changed. */
export type Claims = { readonly [name: string]: unknown };

/** What the verifier read out of the claims; times are whole seconds since the epoch. */
interface Typed {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number | null;
  readonly auth_time: number | null;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly amr: readonly string[];
}

/**
 * Who is calling: the claims of a token that was found good. Frozen, with all that is in it, and
 * shared by the requests that present the token.
 */
export class UserData {
  /** The claims as the issuer wrote them. Numbers beyond 2^53 lose their last digits. */
  readonly claims: Claims;
  readonly #json: string;
  #read: Typed | undefined;

  private constructor(json: string) {
    this.#json = json;
    this.claims = freeze(JSON.parse(json) as Claims);
    Object.freeze(this);
  }

  /**
   * Makes a caller of claims, for tests. Throws a {@link UssoError} with the code `token.malformed` if
   * they are not those of a token.
   */
  static of(claims: Claims): UserData {
    // Of what is no claims at all it gives no text.
    const json = (JSON.stringify(claims) as string | undefined) ?? "";
    try {
      typed(json);
    } catch (error) {
      throw typeof error === "string" ? new UssoError("token.malformed", error, 401) : error;
    }
    return new UserData(json);
  }

  /** @internal */
  static made(json: string): UserData {
    return new UserData(json);
  }

  /** @internal The claims in JSON; nothing for what only looks like a caller. */
  static jsonOf(user: unknown): string | undefined {
    return typeof user === "object" && user !== null && #json in user ? user.#json : undefined;
  }

  /** The subject: `user:…` or `service:…` in tokens of USSO. */
  get sub(): string {
    return this.claims["sub"] as string;
  }

  /** The issuer. */
  get iss(): string {
    return this.claims["iss"] as string;
  }

  /** The audiences, also of a token that has one. */
  get aud(): readonly string[] {
    return this.#typed().aud;
  }

  /** When the token ends, in seconds since the epoch. */
  get exp(): number {
    return this.#typed().exp;
  }

  /** When the token was issued, in seconds since the epoch. */
  get iat(): number | undefined {
    return this.#typed().iat ?? undefined;
  }

  /** When the user signed in, in seconds since the epoch. */
  get authTime(): number | undefined {
    return this.#typed().auth_time ?? undefined;
  }

  get roles(): readonly string[] {
    return this.#typed().roles;
  }

  get scopes(): readonly string[] {
    return this.#typed().scopes;
  }

  /** The methods of authentication (RFC 8176). */
  get amr(): readonly string[] {
    return this.#typed().amr;
  }

  /** The authentication context class. */
  get acr(): string | undefined {
    return this.#text("acr");
  }

  get jti(): string | undefined {
    return this.#text("jti");
  }

  get clientId(): string | undefined {
    return this.#text("client_id");
  }

  get tokenType(): string | undefined {
    return this.#text("token_type");
  }

  get sessionId(): string | undefined {
    return this.#text("session_id");
  }

  get tenantId(): string | undefined {
    return this.#text("tenant_id");
  }

  get workspaceId(): string | undefined {
    return this.#text("workspace_id");
  }

  /** The claim `user_id` of USSO, or the subject. */
  get userId(): string {
    return this.#text("user_id") || this.sub;
  }

  get email(): string | undefined {
    return this.#text("email");
  }

  /** Whether the caller is a service account: USSO names them `service:…`. */
  get isService(): boolean {
    return this.sub.startsWith("service:");
  }

  /** Says whether the caller has the role. */
  hasRole(role: string): boolean {
    return this.roles.includes(role);
  }

  /**
   * Says whether the caller has the scope, or one that grants all that it grants: `manage:files`
   * has `read:files`.
   */
  hasScope(scope: string): boolean {
    if (this.scopes.includes(scope)) return true;
    try {
      return ask<boolean>({ call: "has_subset", child: scope, granted: this.scopes }, errorOf);
    } catch (error) {
      if (error instanceof UssoError) return false;
      throw error;
    }
  }

  /**
   * Says whether a scope allows the action on the path, for a resource with these values: of the
   * scope `read:invoices?user_id=7` the resource must be `{ user_id: "7" }`.
   */
  can(action: string, path: string, resource?: Readonly<Record<string, string>>): boolean {
    const filters = resource === undefined ? [] : [resource];
    const { scopes: granted } = this;
    return ask<boolean>({ call: "check_access", granted, path, action, filters }, errorOf);
  }

  /** The claims, for `JSON.stringify`. */
  toJSON(): Claims {
    return this.claims;
  }

  /** What is read out of claims by rules, when it is asked for. */
  #typed(): Typed {
    this.#read ??= freeze(JSON.parse(typed(this.#json)) as Typed);
    return this.#read;
  }

  #text(claim: string): string | undefined {
    const value = Object.hasOwn(this.claims, claim) ? this.claims[claim] : undefined;
    return typeof value === "string" ? value : undefined;
  }
}

/** Freezes what JSON.parse made. The verifier bounds how deep it is. */
export function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) freeze(item);
    Object.freeze(value);
  }
  return value;
}
