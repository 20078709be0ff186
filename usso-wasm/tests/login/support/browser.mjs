/** What tests do in the pages of a browser. */

/** Opens a tab of a test page with a session of its own. */
export async function openTab(context, site, options, { host = "localhost", clock = false } = {}) {
  const page = await context.newPage();
  if (clock) await page.clock.install();
  await load(page, site, options, host);
  return page;
}

export async function load(page, site, options, host = "localhost") {
  const query = new URLSearchParams({ options: JSON.stringify(options) });
  await page.goto(`${site.origin(host)}/page?${query}`);
  await page.waitForFunction(() => window.ready);
}

/** Runs a function in the page; what it throws is given as `{ code, status, … }`. */
export async function attempt(page, run, argument) {
  const told = await page.evaluate(
    async ([text, argument]) => {
      try {
        return { value: await eval(text)(argument) };
      } catch (error) {
        const { name, code, status, message, retryAfter, detail } = error;
        return { name, code, status, message, retryAfter, detail };
      }
    },
    [`(${run})`, argument],
  );
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
}

export const signIn = (page, { identifier, secret }) =>
  attempt(page, (account) => session.signIn(account), { identifier, secret });
export const signOut = (page) => attempt(page, () => session.signOut());
export const resume = (page) => attempt(page, () => session.resume());
export const accessToken = (page) => attempt(page, () => session.accessToken());
export const userOf = (page) => page.evaluate(() => session.user?.sub);
export const changesOf = (page) => page.evaluate(() => window.changes);

/** Waits until the session of the page has the status. */
export const waitForStatus = (page, status) =>
  page.waitForFunction((status) => session.status === status, status);

/** Sets the clock of a page ahead, as if the machine had slept; timers do not run meanwhile. */
export async function sleep(page, milliseconds) {
  const now = await page.evaluate(() => Date.now());
  await page.clock.setSystemTime(now + milliseconds);
}
