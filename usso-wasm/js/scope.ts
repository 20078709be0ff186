/** Functions that need no verifier. */

import { errorOf } from "./error.js";
import { ask } from "./native.js";
import { type Claims, freeze } from "./user.js";

/** How paths are compared: from the end, or the whole path from its start. */
export interface ScopeOptions {
  matching?: "suffix" | "anchored";
}

/** The values of a resource, of which a scope such as `read:invoices?user_id=7` asks for some. */
export type Values = Readonly<Record<string, string>>;

/**
 * Says whether one of the scopes allows the action on the path. Throws a `UssoError` with the code
 * `call.invalid` for an action or path that is none.
 */
export function checkAccess(
  granted: readonly string[],
  path: string,
  action = "read",
  filters: Values | readonly Values[] = [],
  options: ScopeOptions = {},
): boolean {
  return ask({ call: "check_access", granted, path, action, filters: [filters].flat(), ...options }, errorOf);
}

/** Says in words why a scope allows it or none does. */
export function explainAccess(
  granted: readonly string[],
  path: string,
  action = "read",
  filters: Values | readonly Values[] = [],
  options: ScopeOptions = {},
): string {
  return ask({ call: "explain", granted, path, action, filters: [filters].flat(), ...options }, errorOf);
}

/**
 * Gives the filters under which the scopes allow the action on the path, for a query: `[]` for no limit,
 * `undefined` if nothing is allowed.
 */
export function scopeFilters(
  granted: readonly string[],
  path: string,
  action = "read",
  options: ScopeOptions = {},
): Values[] | undefined {
  const filters: "denied" | "unrestricted" | Values[] = ask(
    { call: "scope_filters", granted, path, action, ...options },
    errorOf,
  );
  if (filters === "denied") return undefined;
  return filters === "unrestricted" ? [] : filters;
}

/** Says whether all that the scope grants is granted by one of the others. */
export function hasSubsetScope(
  scope: string,
  granted: readonly string[],
  options: ScopeOptions = {},
): boolean {
  return ask({ call: "has_subset", child: scope, granted, ...options }, errorOf);
}

/** A scope in its parts. */
export interface ParsedScope {
  readonly action: string;
  /** The level of the action, 0 to 100. */
  readonly level: number;
  readonly path: string;
  readonly filters: Values;
}

/** Reads a scope. Throws a `UssoError` with the code `call.invalid`. */
export function parseScope(scope: string): ParsedScope {
  return freeze(ask<ParsedScope>({ call: "parse_scope", scope }, errorOf));
}

/** Header and claims of a token, for which nothing vouches. */
export interface Unverified {
  readonly header: Claims;
  readonly claims: Claims;
}

/**
 * Reads a token without verifying it: whoever sent it may have written anything. For display and
 * debugging only. Throws a `UssoError` with the code `token.malformed`.
 */
export function decodeUnverified(token: string): Unverified {
  // Half a character cannot be told in UTF-8, and is in no token.
  const text = String(token).replace(/\p{Surrogate}/gu, "\ufffd");
  return freeze(ask<Unverified>({ call: "decode_unverified", token: text }, errorOf));
}
