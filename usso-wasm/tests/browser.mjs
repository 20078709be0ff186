/** Real browsers without a window. */

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

import { chromium, firefox } from "playwright-core";

const BROWSERS = {
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    launch: (executablePath) => chromium.launch({ executablePath, args: CHROMIUM }),
  },
  firefox: {
    names: ["firefox-esr", "firefox"],
    // As its makers ship it, by WebDriver BiDi. Playwright 1.65 asks for more than Firefox 153 has.
    launch: (executablePath) => firefox.launch({ executablePath, channel: "moz-firefox" }),
  },
};
/** Keep it off the network. */
const CHROMIUM = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** The browser that tests are run in. */
export const BROWSER = process.env.USSO_BROWSER || "chromium";

/** Starts it. Once in a while a browser crashes while it starts, which says nothing of the package. */
export async function launch(attempts = 3) {
  const browser = BROWSERS[BROWSER];
  if (browser === undefined) throw new Error(`USSO_BROWSER is ${BROWSER}, not chromium or firefox`);
  const executable = program(BROWSER, browser.names);
  try {
    return await browser.launch(executable);
  } catch (error) {
    if (attempts === 1) throw error;
    return launch(attempts - 1);
  }
}

/** What the variable of the browser's name says, else what is on PATH. */
function program(browser, names) {
  const said = process.env[browser.toUpperCase()];
  if (said) return said;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of names) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error(`there is no ${browser} on PATH: install it, or set ${browser.toUpperCase()}`);
}
