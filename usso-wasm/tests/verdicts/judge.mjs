/** Judges the tokens of the file that the Rust example `verdicts` writes. Runs on every platform. */

/**
 * Gives what is different from the verdicts in the file, one line for each token. `at`: `now` or
 * `later`; `later` is judged by the platform's own clock.
 */
export async function differences({ createVerifier, UssoError }, file, at, sync = false) {
  const found = [];
  let compared = 0;
  for (const { name, config, verdicts } of file.cases) {
    const clock = at === "now" ? { now: () => file.now * 1000 } : {};
    const verifier = createVerifier({ ...optionsOf(config), ...clock });
    for (const [token, now, later] of verdicts) {
      const expected = at === "now" ? now : later;
      const got = await verdict(() => (sync ? verifier.verifySync(token) : verifier.verify(token)));
      compared += 1;
      if (got !== expected) found.push(`${name}: ${expected}, here ${got}: ${token}`);
    }
  }
  for (const { config, code } of file.refused) {
    const got = await verdict(() => createVerifier(optionsOf(config)));
    compared += 1;
    if (got !== code) found.push(`${JSON.stringify(config)}: ${code}, here ${got}`);
  }
  return { found, compared };

  async function verdict(judge) {
    try {
      await judge();
      return "accepted";
    } catch (error) {
      return error instanceof UssoError ? error.code : `${error}`;
    }
  }
}

/** Spells a configuration of Rust as options. */
export function optionsOf({ issuers, ...common }) {
  return { ...camel(common), issuers: issuers?.map(camel) };
}

function camel(members) {
  const own = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => [
      own(name),
      name === "token_cache" ? camel(value) : value,
    ]),
  );
}
