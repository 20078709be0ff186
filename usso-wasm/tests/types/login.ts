/** The session of a page, as apps type it. */

import {
  createSession, type Session, type SessionChange, type SessionUser, UssoLoginError,
} from "usso/login";

const session: Session = createSession({
  server: "https://sso.example.com",
  tenant: "acme",
  apiOrigins: ["https://api.example.com"],
});

const user: SessionUser = await session.signIn({ identifier: "a@example.com", secret: "words" });
const claim: unknown = user["roles"];
const sub: string = user.sub;
await session.register({ identifier: "a", secret: "b", type: "username", name: "A" });
const resumed: SessionUser | undefined = await session.resume();
const token: string | undefined = await session.accessToken();
const answer: Response = await session.fetch(new URL("https://api.example.com"), { method: "PUT" });
const send: typeof fetch = session.fetch;
const stop: () => void = session.subscribe((user, change) => {
  const is: SessionChange = change;
  const who: string | undefined = user?.sub;
  return void [is, who];
});
await session.signOut();
session.close();
stop();
export const all = [claim, sub, resumed, token, answer, send];

export function told(error: unknown): number | undefined {
  if (!(error instanceof UssoLoginError)) return undefined;
  const { code, status, message, retryAfter, detail }: UssoLoginError = error;
  return [code, status, message, detail].length + (retryAfter ?? 0);
}

// @ts-expect-error: the server must be named
createSession({});
// @ts-expect-error: there is no such setting
createSession({ server: "https://sso.example.com", storage: localStorage });
// @ts-expect-error: a password must be given
await session.signIn({ identifier: "a" });
// @ts-expect-error: there is no such kind of identifier
await session.signIn({ identifier: "a", secret: "b", type: "passport" });
// @ts-expect-error: the user cannot be set
session.user = undefined;
// @ts-expect-error: claims are not changed
user.sub = "user:2";
// @ts-expect-error: there may be no user
session.user.sub;
// @ts-expect-error: there may be no token
const sure: string = await session.accessToken();
