import { createVerifier } from "usso";
import { usso } from "usso/fetch";

// One for each isolate: it keeps keys and the tokens that were verified.
let service;

export default {
  async fetch(request, env, ctx) {
    service ??= start(env);
    if (!service.started) await recall(env);
    const answer = await route(request, env, ctx);
    ctx.waitUntil(keep(env));
    return answer;
  },
};

function start({ ISSUER, AUDIENCE }) {
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE });
  const auth = usso(verifier);
  const pattern = new URLPattern({ pathname: "/files/:owner" });
  const { require } = auth.params((request) => pattern.exec(request.url)?.pathname.groups);
  return {
    verifier,
    me: auth.require()((user) => Response.json({ sub: user.sub, scopes: user.scopes })),
    isFiles: (url) => pattern.test(url),
    files: require("read:files?owner={owner}")((_user, { url }) => {
      return new Response(`files of ${pattern.exec(url).pathname.groups.owner}\n`);
    }),
  };
}

function route(request, env, ctx) {
  if (new URL(request.url).pathname === "/me") return service.me(request, env, ctx);
  if (service.isFiles(request.url)) return service.files(request, env, ctx);
  return new Response("not found\n", { status: 404 });
}

/** Takes the keys that another isolate fetched. Who can write them can sign tokens. */
async function recall(env) {
  try {
    const kept = await env.KEYS.get(env.ISSUER, "arrayBuffer");
    if (kept !== null) service.verifier.importKeys(env.ISSUER, new Uint8Array(kept));
    service.kept = String(service.verifier.exportKeys(env.ISSUER));
  } catch {
    // There are none, or those of another version: they are fetched.
  }
  service.started = true;
}

async function keep(env) {
  const keys = service.verifier.exportKeys(env.ISSUER);
  if (keys === undefined || String(keys) === service.kept) return;
  service.kept = String(keys);
  await env.KEYS.put(env.ISSUER, keys);
}
