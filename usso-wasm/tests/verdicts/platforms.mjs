/** Judges a file of verdicts on every platform. */

import { withPage } from "./page.mjs";
import { withWorker } from "./worker.mjs";

const WORKER = `
import * as usso from "usso";
import { differences } from "./judge.mjs";
export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    return Response.json(await differences(usso, await request.json(), searchParams.get("at")));
  },
};`;

/** Calls `check` with what is different in a browser, at both times. */
export async function inBrowser(file, check) {
  await withPage(
    async (page) => {
      for (const at of ["now", "later"]) check(await page.evaluate(judge, { at, sync: false }));
    },
    { "/verdicts.json": { type: "application/json", body: JSON.stringify(file) } },
  );
}

/** Gives what is different in a browser for those who do not wait. */
export async function inBrowserAtOnce(file) {
  let found;
  await withPage(
    async (page) => {
      found = await page.evaluate(judge, { at: "now", sync: true });
    },
    { "/verdicts.json": { type: "application/json", body: JSON.stringify(file) } },
  );
  return found;
}

/** Calls `check` with what is different in an edge worker, at both times. */
export async function inWorkerd(file, check) {
  await withWorker(WORKER, async (ask) => {
    for (const at of ["now", "later"]) check(await ask(file, `?at=${at}`));
  });
}

async function judge({ at, sync }) {
  const usso = await import("/usso/web.js");
  const { differences } = await import("/tests/judge.mjs");
  return differences(usso, await (await fetch("/verdicts.json")).json(), at, sync);
}
