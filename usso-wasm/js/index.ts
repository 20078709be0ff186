/** All that the package exports, whatever the platform. */

export { UssoError, type RefusedResponse } from "./error.js";
export type { HeaderLines, RequestHead } from "./head.js";
export type {
  Algorithm,
  CommonOptions,
  IssuerOptions,
  PublicJwk,
  VerifierOptions,
} from "./options.js";
export {
  checkAccess,
  decodeUnverified,
  explainAccess,
  hasSubsetScope,
  type ParsedScope,
  parseScope,
  scopeFilters,
  type ScopeOptions,
  type Unverified,
  type Values,
} from "./scope.js";
export { type Claims, UserData } from "./user.js";
export {
  createVerifier,
  type Needed,
  type RequestOptions,
  Verifier,
  type VerifyOptions,
} from "./verifier.js";
