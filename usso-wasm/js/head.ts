/** A request, as the verifier looks at it. */

/**
 * What of a request is looked at. `target` is path and query as they were sent, which DPoP needs;
 * `headers` are in the order sent, each line by itself where the platform knows the lines.
 */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderLines;
}

/** Names and values by turns, as `rawHeaders` of Node has them; or pairs, as `Headers` gives them. */
export type HeaderLines = readonly string[] | Iterable<readonly [string, string]>;

/** Describes a `Request` of the Fetch API. */
export function headOf(request: Request): RequestHead {
  const { pathname, search } = new URL(request.url);
  const headers = request.headers.get("origin")?.includes(",")
    ? [...request.headers].flatMap(([name, value]) => separate(name, value))
    : request.headers;
  return { method: request.method, target: pathname + search, headers };
}

/** Lines of one name come joined. An origin has no comma (RFC 6454 §7): these were several. */
function separate(name: string, value: string): [string, string][] {
  const values = name === "origin" ? value.split(",") : [value];
  return values.map((one) => [name, one.trim()]);
}

/** Writes header lines as the verifier reads them: names and values, each closed by a line feed. */
export function written(headers: HeaderLines): string {
  let text = "";
  let name: string | undefined;
  for (const line of headers) {
    if (typeof line !== "string") {
      text += written([...line]);
    } else if (name === undefined) {
      name = line.toLowerCase();
    } else {
      // A line feed would start another header; no server lets one through.
      if (!name.includes("\n") && !line.includes("\n")) text += `${name}\n${line}\n`;
      else text += `${name.replaceAll("\n", " ")}\n${line.replaceAll("\n", " ")}\n`;
      name = undefined;
    }
  }
  return text;
}
