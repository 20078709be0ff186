/** Every documented call of the package, as an app in TypeScript writes it. Compiled, never run. */

import {
  type Algorithm,
  checkAccess,
  type Claims,
  type CommonOptions,
  createVerifier,
  decodeUnverified,
  explainAccess,
  hasSubsetScope,
  type HeaderLines,
  type IssuerOptions,
  type Needed,
  type ParsedScope,
  parseScope,
  type PublicJwk,
  type RefusedResponse,
  type RequestHead,
  type RequestOptions,
  scopeFilters,
  type ScopeOptions,
  type Unverified,
  UserData,
  UssoError,
  type Values,
  Verifier,
  type VerifierOptions,
  type VerifyOptions,
} from "usso";

/** Fails to compile unless both types are the same. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

// Settings.

const algorithm: Algorithm = "EdDSA";
const issuer: IssuerOptions = { issuer: "https://sso.example", audience: "api" };
const common: CommonOptions = { leeway: 10, now: () => Date.now(), fetch };
const options: VerifierOptions = { ...issuer, ...common };
const verifier: Verifier = createVerifier(options);
createVerifier({ issuers: [issuer, { ...issuer, audience: ["a", "b"] as const }], realm: "files" });
createVerifier({ issuer: "i", anyAudience: true, jwks: { keys: [{ kty: "OKP" }] } });
const jwk: PublicJwk = { kty: "OKP", crv: "Ed25519", x: "" };
createVerifier({ issuer: "i", audience: "a", jwk, algorithms: [algorithm] });
createVerifier({
  issuer: "i",
  audience: "a",
  jwk: { kty: "EC", crv: "P-256" },
  profile: "rfc9068",
});
createVerifier({
  issuer: "i",
  audience: ["a"],
  jwksUrl: "https://sso.example/jwks.json",
  profile: "custom",
  algorithms: ["ES256", "RS256", "PS256", "ES384"],
  typ: ["at+jwt"],
  tokenType: "access",
  tokenTypeIfAny: "access",
  tenant: "t",
  requiredClaims: ["email"],
  maxAge: 1,
  maxLifetime: 1,
  dangerAllowHttp: false,
  leeway: 0,
  maxTokenBytes: 1,
  tokenCache: { entries: 1, bytes: 1, maxSeconds: 1 },
  jwksCooldown: 1,
  jwksHardAge: 1,
  tokenHeader: "x-token",
  apiKeyHeader: "x-key",
  cookie: "token",
  allowOrigins: ["https://app.example"],
  publicUrl: "https://api.example",
  realm: "api",
  resourceMetadata: "https://api.example/.well-known/oauth-protected-resource",
  fetch: (input, init) => fetch(input, init),
});

// @ts-expect-error an issuer is missing
createVerifier({ audience: "a" });
// @ts-expect-error no such setting
createVerifier({ issuer: "i", audience: "a", jwksUri: "https://x" });
// @ts-expect-error no such algorithm
createVerifier({ issuer: "i", audience: "a", algorithms: ["HS256"] });
// @ts-expect-error no such algorithm
createVerifier({ issuer: "i", audience: "a", algorithms: ["none"] });
// @ts-expect-error no such profile
createVerifier({ issuer: "i", audience: "a", profile: "jwt" });
// @ts-expect-error seconds are a number
createVerifier({ issuer: "i", audience: "a", leeway: "30s" });
// @ts-expect-error null is no setting
createVerifier({ issuer: "i", audience: "a", tenant: null });
// @ts-expect-error an issuer of several is an object
createVerifier({ issuers: ["https://sso.example"] });
// @ts-expect-error a key has a kind
createVerifier({ issuer: "i", audience: "a", jwk: { x: "" } });
// @ts-expect-error the settings are needed
createVerifier();

// Verifying.

async function verifying(request: Request, ctx: { waitUntil(work: Promise<unknown>): void }) {
  const user = await verifier.verify("token");
  same<typeof user, UserData>(true);
  const sync = verifier.verifySync("token", { scope: "read:files", role: ["editor"] });
  same<typeof sync, UserData>(true);
  const needed: Needed = {
    tenant: "{tenant}",
    workspace: "w",
    service: true,
    maxAge: 60,
    acr: "aal2",
  };
  const more: VerifyOptions = { ...needed, params: { tenant: "t" }, nonce: "n" };
  await verifier.verify("token", more);
  await verifier.verify("token", { waitUntil: (work) => ctx.waitUntil(work) });
  await verifier.verify("token", { scope: ["read:a", "read:b"] as const });

  const found = await verifier.authenticate(request, { waitUntil: ctx.waitUntil });
  same<typeof found, UserData | undefined>(true);
  const lines: HeaderLines = ["Authorization", "Bearer x"];
  const head: RequestHead = { method: "GET", target: "/", headers: lines };
  await verifier.authenticate(head);
  await verifier.authenticate({ method: "GET", target: "/", headers: new Headers() });
  await verifier.authenticate({ method: "GET", target: "/", headers: [["a", "b"]] });
  const rule: RequestOptions = { scope: "read:files" };
  same<UserData, Awaited<ReturnType<typeof verifier.require>>>(true);
  await verifier.require(request, rule);
  same<UserData, ReturnType<typeof verifier.check>>(true);
  verifier.check(found, { role: "admin" }, request);
  const headers: [name: string, value: string][] = verifier.responseHeaders(request, true);

  const snapshot: Uint8Array | undefined = verifier.exportKeys("https://sso.example");
  if (snapshot !== undefined) verifier.importKeys("https://sso.example", snapshot);
  verifier.clearCache();
  const count: number = verifier.cachedTokens;

  // @ts-expect-error a token is text
  await verifier.verify(undefined);
  // @ts-expect-error a header may be missing
  await verifier.verify(request.headers.get("authorization"));
  // @ts-expect-error bytes are no text
  await verifier.verify(new Uint8Array());
  // @ts-expect-error no such requirement
  await verifier.verify("token", { scopes: ["read:files"] });
  // @ts-expect-error seconds are a number
  await verifier.verify("token", { maxAge: "60" });
  // @ts-expect-error a nonce belongs to ID tokens, which no request has
  await verifier.require(request, { nonce: "n" });
  // @ts-expect-error an object that looks like a caller is none
  verifier.check({ sub: "admin" }, {});
  // @ts-expect-error the target is missing
  await verifier.authenticate({ method: "GET", headers: [] });
  // @ts-expect-error it is counted, not set
  verifier.cachedTokens = 0;
  // @ts-expect-error bytes are needed
  verifier.importKeys("i", "text");
  // @ts-expect-error without a promise there is nothing to wait for
  verifier.verifySync("token").then();
  return { headers, count };
}

// The caller.

function asking(user: UserData) {
  const { sub, iss, aud, exp, roles, scopes, amr, userId, isService } = user;
  same<typeof aud, readonly string[]>(true);
  same<typeof roles, readonly string[]>(true);
  const texts: string[] = [sub, iss, userId, ...aud, ...roles, ...scopes, ...amr];
  const often: (string | undefined)[] = [
    user.acr,
    user.jti,
    user.clientId,
    user.tokenType,
    user.email,
  ];
  often.push(user.sessionId, user.tenantId, user.workspaceId);
  const times: (number | undefined)[] = [exp, user.iat, user.authTime];
  const may: boolean =
    user.hasScope("a") && user.hasRole("b") && user.can("read", "files", { id: "7" });
  const claims: Claims = user.claims;
  const own: unknown = claims["anything"];
  const json: Claims = user.toJSON();
  const made: UserData = UserData.of({ iss: "i", sub: "user:1", aud: "a", exp: 1 });

  // @ts-expect-error nothing of it can be changed
  user.sub = "admin";
  // @ts-expect-error nothing of it can be changed
  user.scopes.push("*:*");
  // @ts-expect-error nothing of it can be changed
  user.claims["sub"] = "admin";
  // @ts-expect-error callers are made by a verifier
  new UserData("{}", "{}");
  // @ts-expect-error what a claim is must be looked at
  const text: string = user.claims["email"];
  // @ts-expect-error it may be missing
  const email: string = user.email;
  return { texts, often, times, may, own, json, made, text, email, isService };
}

// Refusals.

function refusing(error: unknown) {
  if (!(error instanceof UssoError)) throw error;
  const { code, status, challenge, response, message, name } = error;
  same<typeof code, string>(true);
  same<typeof status, number>(true);
  same<typeof challenge, string | undefined>(true);
  same<typeof response, RefusedResponse>(true);
  const plain = new Response(response.body, { status: response.status });
  for (const [header, value] of response.headers) plain.headers.append(header, value);

  // @ts-expect-error nothing of it can be changed
  error.status = 200;
  // @ts-expect-error nothing of it can be changed
  error.response.status = 200;
  return { message, name, plain };
}

// Scopes, and reading without verifying.

const anchored: ScopeOptions = { matching: "anchored" };
const values: Values = { user_id: "7" };
const allowed: boolean = checkAccess(["read:files"], "files", "read", [values], anchored);
checkAccess(["read:files"] as const, "files", "read", values);
const why: string = explainAccess(["read:files"], "files");
const filters: Values[] | undefined = scopeFilters(["read:files"], "files", "read", anchored);
const covered: boolean = hasSubsetScope("read:files", ["read:*"], anchored);
const parsed: ParsedScope = parseScope("read:files");
const unverified: Unverified = decodeUnverified("a.b.c");

// @ts-expect-error scopes are a list
checkAccess("read:files", "files");
// @ts-expect-error no such matching
checkAccess([], "files", "read", [], { matching: "prefix" });
// @ts-expect-error values are text
checkAccess([], "files", "read", { user_id: 7 });
// @ts-expect-error nothing granted is not the same as no limit
for (const filter of scopeFilters([], "files")) String(filter);
// @ts-expect-error what nothing vouches for is no caller
verifier.check(decodeUnverified("a.b.c"), {});
// @ts-expect-error nothing of it can be changed
parsed.level = 100;

export { allowed, asking, covered, filters, refusing, unverified, verifying, why };
