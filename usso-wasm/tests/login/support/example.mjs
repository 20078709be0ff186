/** The example page, served by its own program. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SERVE = fileURLToPath(
  new URL("../../../examples/browser-page/serve.mjs", import.meta.url),
);

export async function startExample(server) {
  const env = {
    PATH: process.env.PATH, PORT: "0", ISSUER: server.base, SYSTEM_PASSWORD: server.password,
  };
  const child = spawn(process.execPath, [SERVE], { env, stdio: ["ignore", "pipe", "inherit"] });
  const [address] = await once(createInterface({ input: child.stdout }), "line");
  const stop = async () => {
    child.kill();
    await once(child, "exit");
  };
  return { address, stop };
}
