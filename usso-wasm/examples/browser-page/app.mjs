import { server } from "./settings.mjs";
import { createSession } from "./usso/login.js";

const session = createSession({ server });
const find = (id) => document.getElementById(id);
const form = document.querySelector("form");

/** Shows the section for how things stand. */
function show() {
  const { user, status } = session;
  const wanted = { signedIn: "signed-in", signedOut: "signed-out", unknown: "unknown" }[status];
  const isShown = !find(wanted).hidden;
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.id !== wanted;
  }
  document.title = `${user ? "Signed in" : "Sign in"} · usso`;
  if (user !== undefined) {
    find("sub").textContent = user.sub;
    find("roles").textContent = user.roles.join(", ") || "none";
    find("scopes").textContent = user.scopes.join(", ") || "none";
    find("until").textContent = new Date(user.exp * 1000).toLocaleTimeString();
  }
  // Who uses a keyboard or a screen reader goes on where something has changed.
  if (!isShown)
    find(wanted)
      .querySelector(user ? "h1" : "input, button")
      .focus();
}

/** Does one piece of work at a time, and tells what goes wrong. */
async function during(work) {
  if (document.body.ariaBusy === "true") return;
  document.body.ariaBusy = "true";
  tell("");
  try {
    await work();
    show();
  } catch (error) {
    const wait = error.retryAfter === undefined ? "" : ` Try again in ${error.retryAfter} seconds.`;
    show();
    tell(error.message + wait);
    if (form.checkVisibility()) find("secret").select();
  } finally {
    document.body.ariaBusy = "false";
  }
}

function tell(problem, news = "") {
  find("problem").textContent = problem;
  find("news").textContent = news;
  for (const input of form.elements) input.ariaInvalid = problem === "" ? null : "true";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { identifier, secret } = Object.fromEntries(new FormData(form));
  const isNew = event.submitter?.value === "register";
  during(async () => {
    await (isNew ? session.register : session.signIn).call(session, { identifier, secret });
    form.reset();
  });
});

find("sign-out").addEventListener("click", () => during(() => session.signOut()));
find("retry").addEventListener("click", () => during(() => session.resume()));
find("call").addEventListener("click", () =>
  during(async () => {
    const response = await session.fetch("api/whoami");
    find("answer").hidden = false;
    find("answer").textContent = `${response.status}\n${await response.text()}`;
  }),
);

session.subscribe((_user, change) => {
  if (change !== "renewed") find("answer").hidden = true;
  const news = { signOut: "You are signed out.", ended: "Your session is over. Sign in again." };
  tell("", news[change]);
  show();
});

await during(() => session.resume());
