// The test issuer as a server on loopback, which counts requests for keys.

import { createTestIssuer } from "usso/testing";

import { serveNode } from "./servers.mjs";

export async function serveIssuer(test) {
  let issuer;
  let requests = 0;
  const port = await serveNode(test, async (req, res) => {
    requests += 1;
    const answer = await issuer.fetch(new URL(req.url, issuer.issuer));
    res.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  });
  issuer = await createTestIssuer({ issuer: `http://127.0.0.1:${port}` });
  return { issuer, requests: () => requests };
}
