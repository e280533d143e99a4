// A preview asks for a login: say which one it is, and let the user in there, but only after a click.

import { text, translatePage } from "./i18n.js";
import { hideNotice, report } from "./notice.js";
import { fullName, isolated } from "./person.js";
import { ask, busy, fill, refuse } from "./question.js";
import { login, Problem, request, session } from "./tgauth.js";

// Who asks, when, and a signature, which the API checks. Nothing in it needs encoding.
const TICKET = /^(?=[^~]{1,259}~)((?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d{1,5})?)~[A-Za-z0-9_~.-]{1,200}$/;
const LOGGED_OUT = ["unauthenticated", "invalid_session"];
// After these the same ticket can never be used, however often it is tried.
const FINAL = ["invalid_grant", "malformed_request", "not_found", "shared_store_required"];

const $ = (id) => document.getElementById(id);

const tickets = new URLSearchParams(location.search).getAll("ticket");
const ticket = tickets.length === 1 ? tickets[0] : "";
// The host that it is for, or null if it names none.
const host = TICKET.exec(ticket)?.[1] ?? null;

// The user who is logged in here, and would be there.
let user;

translatePage();
$("continue-button").addEventListener("click", proceed);
// Coming back from Telegram's page, or from the preview, may show this one as it was left, waiting.
addEventListener("pageshow", (event) => event.persisted && location.reload());

if (host) await open();
else refuse(new Problem("invalid_grant"));

async function open() {
  try {
    user = (await session())?.user;
  } catch (error) {
    return report(error, { retry: true });
  }
  showQuestion();
}

function showQuestion() {
  fill($("asked"), "relayAsked", "host", named(host));
  $("note").textContent = text(user ? "relayNote" : "relayNoteFirst");
  if (user) fill($("continue-button"), "relayContinue", "who", isolated("", fullName(user), ""));
  else $("continue-button").textContent = text("login");
  ask($("continue-button"));
}

/** A whole host name, in which lines may break between labels. */
function named(host) {
  const made = document.createElement("bdi");
  made.className = "host";
  for (const part of host.split(/(?=[.:])/)) made.append(part, document.createElement("wbr"));
  return made;
}

async function proceed() {
  hideNotice();
  const idle = busy($("continue-button"), user ? "loggingIn" : "opening");
  try {
    if (user) await agree();
    else await login({ returnTo: `${location.pathname}?ticket=${ticket}` });
  } catch (error) {
    idle();
    if (FINAL.includes(error.code)) return refuse(error);
    // Logged out meanwhile, or somebody else is logged in now: ask that person.
    if (LOGGED_OUT.includes(error.code)) await open();
    await report(error);
    $("continue-button").focus();
  }
}

/** Agree, and take the code to the preview that the page named, whatever the API says. */
async function agree() {
  const { url } = await request("POST", "/telegram/relay", { body: { ticket, user: user.id } });
  const there = new URL(url);
  if (!/^https?:$/.test(there.protocol) || there.host !== host) throw new Problem("unknown");
  // The code stays out of the history: the preview's answer to it is a redirect.
  location.replace(there);
}
