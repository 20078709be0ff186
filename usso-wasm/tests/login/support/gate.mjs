/** Stands between browser and server: counts requests, holds or breaks those that a test names. */

import { request as forward } from "node:http";
import { listen } from "./site.mjs";

export async function openGate(server) {
  const { hostname, port } = new URL(server.base);
  const gate = new Gate();
  const served = await listen((request, response) => {
    gate.take(request, response, () => {
      const { method, url: path, headers } = request;
      const onward = forward({ hostname, port, method, path, headers }, (answer) => {
        gate.pass(request, () => {
          response.writeHead(answer.statusCode, answer.rawHeaders);
          answer.pipe(response);
        });
      });
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      request.pipe(onward);
    });
  });
  gate.base = served.origin("localhost");
  gate.stop = served.stop;
  return gate;
}

class Gate {
  /** Method, path, headers of all requests but preflights. */
  requests = [];
  #rules = [];
  #waiting = [];

  /** How many requests there were for a path that ends so. */
  count(path) {
    return this.requests.filter((request) => request.path.endsWith(path)).length;
  }

  /** Answers such requests with a status, as the server would to an allowed origin. */
  answer(path, status, { headers = {}, body = "" } = {}, times = Infinity) {
    return this.#rule({ path, times, answer: { status, headers, body } });
  }

  /** Closes the connection of such requests, before the server sees them. */
  cut(path, times = Infinity) {
    return this.#rule({ path, times, cut: "before" });
  }

  /** Closes the connection of such requests after the server has answered. */
  lose(path, times = Infinity) {
    return this.#rule({ path, times, cut: "after" });
  }

  /** Keeps such requests, or the server's answers to them, until they are let go. */
  hold(path, { answers = false } = {}) {
    const rule = this.#rule({ path, times: Infinity, hold: answers ? "answer" : "request" });
    return { ...rule, release: () => rule.end() };
  }

  /** Waits until there were so many requests for a path that ends so. */
  async reached(path, count) {
    while (this.count(path) < count) {
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
  }

  take(request, response, onward) {
    if (request.method === "OPTIONS") return onward();
    const { method, url: path, headers } = request;
    this.requests.push({ method, path, headers });
    for (const resolve of this.#waiting.splice(0)) resolve();
    const rule = this.#find(path);
    request.rule = rule;
    if (rule?.cut === "before") return request.socket.destroy();
    if (rule?.hold === "request") return rule.kept.push(onward);
    if (rule?.answer === undefined) return onward();
    const { status, body } = rule.answer;
    request.resume();
    response.writeHead(status, {
      "access-control-allow-origin": headers.origin ?? "*",
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "retry-after",
      "content-type": "application/json",
      ...rule.answer.headers,
    });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  pass(request, answer) {
    const { rule } = request;
    if (rule?.cut === "after") return request.socket.destroy();
    if (rule?.hold === "answer" && !rule.ended) return rule.kept.push(answer);
    answer();
  }

  #find(path) {
    const rule = this.#rules.find((rule) => path.endsWith(rule.path) && rule.times > 0);
    if (rule !== undefined) rule.times -= 1;
    return rule;
  }

  #rule(rule) {
    rule.kept = [];
    this.#rules.push(rule);
    return {
      end: () => {
        rule.times = 0;
        rule.ended = true;
        for (const go of rule.kept.splice(0)) go();
      },
    };
  }
}
