// The adapters with the frameworks' own types, compiled by `tsc --strict` and never run.

import { createServer } from "node:http";
import { createServer as createServer2 } from "node:http2";

import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import type { UserData, Verifier } from "usso";
import { usso as forExpress } from "usso/express";
import { usso as forFastify } from "usso/fastify";
import { usso as forFetch } from "usso/fetch";
import { type MaybeVariables, usso as forHono, type UssoVariables } from "usso/hono";
import { usso as forNext } from "usso/next";
import { createTestIssuer, type TestIssuer } from "usso/testing";

declare const verifier: Verifier;
declare function isText(text: string): void;
declare function isUser(user: UserData): void;

export function expressApp(): void {
  const auth = forExpress(verifier);
  const app = express();
  app.use(auth.optional());
  app.use("/api", auth.require(), express.Router().use(auth.require("read:files")));
  const own = auth.require({ scope: "read:users?user_id={id}", maxAge: 300 });
  app.get("/users/:id", own, (req, res) => {
    isText(req.params.id);
    if (req.user !== undefined) isUser(req.user);
    isUser(auth.user(req));
    // @ts-expect-error There may be none.
    isUser(req.user);
    res.json(req.user);
  });
  app.use(auth.onError);
  // @ts-expect-error A list of scopes is one argument.
  auth.require("read:files", "read:users");
  // @ts-expect-error It is called `scope`.
  auth.require({ scopes: "read:files" });
  const guard = auth.require("read:files");
  const server = createServer((req, res) => guard(req, res, () => res.end(auth.user(req).sub)));
  createServer2((req, res) => guard(req, res, () => res.end()));
  server.on(
    "upgrade",
    auth.upgrade("read:files")((user, req, socket, head) => {
      isUser(user);
      isText(req.method ?? "");
      socket.write(head);
    }),
  );
}

export function fastifyApp(): void {
  const auth = forFastify(verifier);
  const app = fastify();
  app.register(auth.plugin);
  app.addHook("onRequest", auth.optional());
  app.setErrorHandler(auth.onError);
  app.get<{ Params: { id: string } }>(
    "/users/:id",
    { onRequest: auth.require(["read:users?user_id={id}"]), preHandler: [auth.require()] },
    async (request) => {
      isText(request.params.id);
      isUser(auth.user(request));
      // @ts-expect-error There may be none.
      isUser(request.user);
      return request.user?.sub;
    },
  );
  fastify({ http2: true }).addHook("preHandler", auth.require());
}

export function honoApp(): void {
  const auth = forHono(verifier);
  const app = new Hono<{ Variables: UssoVariables }>();
  app.use(auth.require());
  app.use("/api/*", auth.require("read:files"));
  app.get("/users/:id", auth.require("read:users?user_id={id}"), auth.require(), (c) => {
    isText(c.req.param("id"));
    isUser(c.get("user"));
    isUser(auth.user(c));
    return c.json(c.var.user);
  });
  app.onError(auth.onError);
  const open = new Hono<{ Variables: MaybeVariables; Bindings: { KEYS: object } }>();
  open.get("/", auth.optional(), (c) => {
    // @ts-expect-error There may be none.
    isUser(c.get("user"));
    return c.text(c.get("user")?.sub ?? "nobody");
  });
  app.route("/open", open);
}

interface Env {
  readonly ISSUER: string;
}

interface Context {
  waitUntil(work: Promise<unknown>): void;
}

const read = forFetch(verifier).require("read:files");

export const worker = {
  fetch: read((user, request: Request, env: Env, ctx: Context) => {
    isUser(user);
    ctx.waitUntil(Promise.resolve());
    return new Response(env.ISSUER + request.url);
  }),
};

export async function fetchApp(env: Env, ctx: Context): Promise<void> {
  const response: Response = await worker.fetch(new Request("https://api.example"), env, ctx);
  isText(await response.text());
  // @ts-expect-error What the handler is given must be given.
  await worker.fetch(new Request("https://api.example"));
  const auth = forFetch(verifier);
  // @ts-expect-error There may be none.
  auth.optional()((user) => new Response(user.sub));
  auth.params((request) => ({ id: request.url })).require()(async (user) => Response.json(user));
  // @ts-expect-error A handler answers.
  auth.require()(() => undefined);
}

type PageContext = { params: Promise<{ id: string }> };
type RouteHandler = (request: Request, context: PageContext) => Promise<Response>;

const own = forNext(verifier).require("read:users?user_id={id}");

export const GET: RouteHandler = own(async (user, _request, { params }: PageContext) => {
  return Response.json({ caller: user.sub, of: (await params).id });
});

export async function nextApp(headers: Headers): Promise<void> {
  const auth = forNext(verifier);
  const proxy: (request: Request) => Promise<Response> = auth.middleware({ role: "admin" });
  await proxy(new Request("https://api.example"));
  const user: UserData | undefined = await auth.currentUser(headers);
  isText(user?.sub ?? "nobody");
}

export async function tests(): Promise<void> {
  const issuer: TestIssuer = await createTestIssuer({ algorithm: "EdDSA" });
  isText(await issuer.mint({ scopes: ["read:files"], aud: null }, { typ: "JWT" }));
  isText(await issuer.authorization());
  isText(await issuer.rotate());
  // @ts-expect-error There is no such algorithm.
  await createTestIssuer({ algorithm: "HS256" });
}
