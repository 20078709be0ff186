/** The reference server: a real process on a free port, in a folder of its own. */

import { spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const DEFAULT = fileURLToPath(new URL("../../../../target/debug/usso-server", import.meta.url));

const SETTINGS = {
  USSO_LISTEN: "127.0.0.1:0",
  USSO_HASHING_MEMORY_KIB: "8",
  USSO_HASHING_ITERATIONS: "1",
  USSO_LOG: "warn",
  SYSTEM_PASSWORD: "the administrator's own words",
};

/** Starts `USSO_SERVER`, else the debug build. */
export async function startServer(settings = {}) {
  const binary = process.env.USSO_SERVER || DEFAULT;
  if (!existsSync(binary)) {
    throw new Error(`there is no server at ${binary}: build usso-server, or set USSO_SERVER`);
  }
  const folder = mkdtempSync(join(tmpdir(), "usso-login-"));
  const env = { PATH: process.env.PATH, ...SETTINGS, ...settings };
  const child = spawn(binary, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  child.stderr.pipe(createWriteStream(join(folder, "log")));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const server = new Server(await banner(child.stdout), env.SYSTEM_PASSWORD);
  server.stop = async () => {
    child.kill();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  return server;
}

async function banner(stdout) {
  const found = {};
  for await (const line of createInterface({ input: stdout })) {
    found.base ??= /listens on (\S+)/.exec(line)?.[1];
    found.admin ??= /administrator: +(\S+)/.exec(line)?.[1];
    if (line.includes("jwks.json")) {
      stdout.resume();
      return found;
    }
  }
  throw new Error("the server did not start");
}

class Server {
  constructor({ base, admin }, password) {
    this.base = base;
    this.admin = admin;
    this.password = password;
  }

  async post(path, body, headers = {}) {
    return this.send("POST", path, body, headers);
  }

  async send(method, path, body, headers = {}) {
    const response = await fetch(`${this.base}/api/sso/v1${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Sends a request of the administrator. */
  async asAdmin(method, path, body) {
    const { admin: identifier, password: secret } = this;
    this.token ??= (await this.post("/auth/login", { identifier, secret })).access_token;
    return this.send(method, path, body, { authorization: `Bearer ${this.token}` });
  }

  /** Changes settings of the default tenant. */
  async set(settings) {
    const [{ id }] = (await this.asAdmin("GET", "/tenants")).items;
    await this.asAdmin("PATCH", `/tenants/${id}`, { settings });
  }

  /** Creates a user; gives what to sign in with. */
  async user(name, headers = {}) {
    const account = { identifier: `${name}@example.com`, secret: "a goat eats blue paper 7" };
    const { user } = await this.post("/auth/register", account, headers);
    return { ...account, id: user.id };
  }
}
