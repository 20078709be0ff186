/** Server, gate, site and browser for one file of tests. */

import { after, before } from "node:test";

import { launch } from "../../browser.mjs";
import { openGate } from "./gate.mjs";
import { startServer } from "./server.mjs";
import { openSite } from "./site.mjs";

/** Starts everything before the tests of the file, and stops it after them. */
export function world(pages = {}) {
  const world = {};
  before(async () => {
    // One after another: what has started is stopped if the next does not start.
    world.browser = await launch();
    world.server = await startServer();
    world.site = await openSite(pages);
    world.foreign = await openSite();
    await world.server.set({ allowed_origins: [world.site.origin("localhost")] });
    world.alice = await world.server.user("alice");
    world.bob = await world.server.user("bob");
  });
  after(async () => {
    await world.browser?.close();
    await Promise.all([world.server, world.site, world.foreign].map((part) => part?.stop()));
  });
  /** A browser of somebody who was never here, and a gate of its own to the server. */
  world.open = async (test) => {
    const gate = await openGate(world.server);
    test.after(() => gate.stop());
    const context = await world.browser.newContext();
    test.after(() => context.close());
    return { context, gate, options: { server: gate.base } };
  };
  return world;
}
