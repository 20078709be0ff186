// Sends the table of requests that every adapter in every language answers alike, as raw bytes over
// a socket, and says what is different. The table is usso-verify/src/testing/requests.json.

import { readFile } from "node:fs/promises";
import { connect } from "node:net";

import { createVerifier } from "usso";
import { createTestIssuer } from "usso/testing";

const AUDIENCE = "https://api.example";
const FILE = new URL("../../../usso-verify/src/testing/requests.json", import.meta.url);

// Claims have no types here: an app that wants some looks at them itself, and answers itself.
export const CLAIMS = { "claims that are missing are refused": [403] };

// What a `Request` of the Fetch API cannot say: lines of one name are joined.
export const FETCH = { ...CLAIMS, "two proofs are refused": [401] };

/** Makes an issuer and the verifier that the table is for. */
export async function world(more = {}) {
  const issuer = await createTestIssuer();
  const verifier = createVerifier({
    ...issuer.options,
    cookie: "usso-access-token",
    allowOrigins: ["https://app.example"],
    publicUrl: AUDIENCE,
    ...more,
  });
  return { issuer, verifier, prover: await createProver() };
}

/** A client with a key of its own, to which tokens can be bound. */
export async function createProver() {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const jkt = await digest(JSON.stringify({ crv, kty, x, y }));
  const proof = async (method, path, token) => {
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } };
    const claims = {
      jti: crypto.randomUUID(),
      htm: method,
      htu: AUDIENCE + path,
      iat: Math.floor(Date.now() / 1000),
      ath: await digest(token),
    };
    const message = [header, claims].map((part) => base64url(JSON.stringify(part))).join(".");
    const signature = await crypto.subtle.sign(algorithm, pair.privateKey, Buffer.from(message));
    return `${message}.${base64url(signature)}`;
  };
  return { jkt, proof };
}

/** Sends every request; gives what is different from the table, in words. */
export async function differences(port, { issuer, prover }, excused = {}) {
  // There lines of one name are sent as one (RFC 9110 §5.3).
  const sent = (lines) => (excused === FETCH && lines.length > 0 ? [lines.join(", ")] : lines);
  const { tokens, cases } = JSON.parse(await readFile(FILE, "utf8"));
  const fill = await filler(issuer, prover, tokens);
  const wrong = [];
  const left = new Map(Object.entries(excused));
  for (const { name, method, path, headers, ...wanted } of cases) {
    const lines = [];
    for (const [header, value] of headers) lines.push([header, await fill(value)]);
    const answer = await exchange(port, method, await fill(path), lines);
    const allowed = left.get(name);
    left.delete(name);
    if (allowed === undefined) {
      const challenges = wanted.challenges && sent(await Promise.all(wanted.challenges.map(fill)));
      wrong.push(...compare(answer, { ...wanted, challenges }).map((text) => `${name}: ${text}`));
    } else if (!allowed.includes(answer.status)) {
      wrong.push(`${name}: status ${answer.status}, not one of ${allowed}`);
    }
  }
  return [...wrong, ...[...left.keys()].map((name) => `${name}: no such case`)];
}

/** Sends one request exactly as it is given. */
export function exchange(port, method, target, headers, body = "") {
  const lines = [`${method} ${target} HTTP/1.1`, "connection: close"];
  if (!headers.some(([name]) => name === "host")) lines.push("host: api.example");
  if (body !== "") lines.push(`content-length: ${Buffer.byteLength(body)}`);
  lines.push(...headers.map(([name, value]) => `${name}: ${value}`), "", body);
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(lines.join("\r\n")));
    const chunks = [];
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${method} ${target}`)));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("end", () => {
      socket.destroy();
      resolve(read(Buffer.concat(chunks).toString("utf8")));
    });
  });
}

function read(text) {
  const end = text.indexOf("\r\n\r\n");
  const [first, ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const all = (name) => headers.filter(([own]) => own === name).map(([, value]) => value);
  const body = text.slice(end + 4);
  const chunked = all("transfer-encoding").includes("chunked");
  return { status: Number(first.split(" ")[1]), headers, all, body: chunked ? joined(body) : body };
}

function joined(body) {
  let [rest, text] = [Buffer.from(body), ""];
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.subarray(0, line).toString(), 16);
    if (!(size > 0)) return text;
    text += rest.subarray(line + 2, line + 2 + size).toString();
    rest = rest.subarray(line + 4 + size);
  }
}

/** Gives what replaces `$name` in the table. */
async function filler(issuer, prover, tokens) {
  const now = Math.floor(Date.now() / 1000);
  const minted = {};
  for (const [name, claims] of Object.entries(tokens)) {
    const timed = Object.entries(claims).map(([claim, value]) => {
      return [claim, typeof value === "number" ? now + value : value];
    });
    const cnf = claims.cnf && { jkt: prover.jkt };
    minted[name] = await issuer.mint({ nbf: now, ...Object.fromEntries(timed), cnf });
  }
  const proofs = { $proof_elsewhere: "/files", $proof_get: "/me", $proof: "/me" };
  // The longer name first, so that none is read as another and some letters.
  const names = Object.keys(minted).sort((one, other) => other.length - one.length);
  return async (text) => {
    let filled = text;
    for (const [word, path] of Object.entries(proofs)) {
      if (filled.includes(word)) {
        filled = filled.replaceAll(word, await prover.proof("GET", path, minted.bound));
      }
    }
    for (const name of names) filled = filled.replaceAll(`$${name}`, minted[name]);
    return filled.replaceAll("$algs", "EdDSA ES256 ES384 RS256 PS256");
  };
}

function compare({ status, all, body }, wanted) {
  const wrong = [];
  if (![wanted.status].flat().includes(status))
    wrong.push(`status ${status}, not ${wanted.status}`);
  if (wanted.code !== undefined && codeOf(body) !== wanted.code) {
    wrong.push(`code ${codeOf(body)}, not ${wanted.code}`);
  }
  if (wanted.body !== undefined && body !== wanted.body) {
    wrong.push(`body ${body}, not ${wanted.body}`);
  }
  const challenges = all("www-authenticate");
  if (wanted.challenges !== undefined && !alike(wanted.challenges, challenges)) {
    wrong.push(`challenges ${challenges.join(" | ")}, not ${wanted.challenges.join(" | ")}`);
  }
  return wrong;
}

export function codeOf(body) {
  try {
    return JSON.parse(body).error_code;
  } catch {
    return undefined;
  }
}

/** `$any` in the table stands for any words without a quote. */
function alike(wanted, found) {
  return (
    wanted.length === found.length &&
    wanted.every((one, at) => {
      const [start, end] = one.split("$any");
      if (end === undefined) return one === found[at];
      const middle = found[at].slice(start.length, -end.length);
      return found[at] === start + middle + end && !middle.includes('"');
    })
  );
}

async function digest(text) {
  return base64url(await crypto.subtle.digest("SHA-256", Buffer.from(text)));
}

function base64url(bytes) {
  return Buffer.from(bytes).toString("base64url");
}
