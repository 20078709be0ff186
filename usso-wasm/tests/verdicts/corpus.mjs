/** The file that the Rust example `verdicts` writes. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const BESIDE = fileURLToPath(new URL("../../../target/verdicts.json", import.meta.url));
const COMMAND = "cargo run -p usso-verify --features testing --example verdicts -- ";

export function corpus() {
  const path = process.env.USSO_VERDICTS || BESIDE;
  assert.ok(existsSync(path), `there is no ${path}: write it with \`${COMMAND}${path}\``);
  const file = JSON.parse(readFileSync(path, "utf8"));
  const tokens = file.cases.flatMap(({ verdicts }) => verdicts);
  assert.ok(tokens.length > 6000, "the file is not whole");
  const accepted = tokens.filter(([, now]) => now === "accepted").length;
  assert.ok(accepted > 1500 && accepted < tokens.length / 2, `${accepted} accepted`);
  return file;
}

/** Fails with the first differences. */
export function assertSame(file, { found, compared }) {
  const tokens = file.cases.flatMap(({ verdicts }) => verdicts).length + file.refused.length;
  assert.equal(compared, tokens);
  assert.ok(
    found.length === 0,
    `${found.length} verdicts are different:\n${found.slice(0, 20).join("\n")}`,
  );
}
