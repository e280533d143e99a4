// A login that came with a link, from a button in a Telegram chat or from anybody: the page asks first.

import { destination } from "./destination.js";
import { translatePage } from "./i18n.js";
import { hideNotice, report } from "./notice.js";
import { credible, person } from "./person.js";
import { ask, busy, fill, refuse } from "./question.js";
import { Problem, request, session } from "./tgauth.js";

// Without these there is no login. Only the API can tell whether the other fields are Telegram's.
const REQUIRED = {
  id: /^[1-9][0-9]{0,15}$/,
  auth_date: /^[1-9][0-9]{0,11}$/,
  hash: /^[0-9a-f]{64}$/,
};
// After these the same link can never log in, however often it is tried.
const FINAL = ["login_stale", "login_rejected", "malformed_request", "not_allowed"];
// Milliseconds to wait for the answer to who is logged in.
const PATIENCE = 3000;

const $ = (id) => document.getElementById(id);

// Before anything else: the login must stay neither in the address bar nor in the history.
const fragment = location.hash;
history.replaceState(null, "", location.pathname + location.search);
const target = destination();

translatePage(fragment);
$("confirm-button").addEventListener("click", logIn);
// Going back to this page must not give the link a second chance.
addEventListener("pageshow", (event) => event.persisted && location.reload());
// A link that differs only in its fragment does not load the page.
addEventListener("hashchange", () => location.hash && location.reload());

const widget = readFields(fragment);
if (target) $("home-link").search = new URLSearchParams({ return_to: target.pathname + target.search });
if (widget) await open();
else refuse(new Problem(fragment ? "malformed_request" : "missing_login"));

/** Telegram's fields in the fragment, or null if they cannot be Telegram's: nothing is verified here. */
function readFields(hash) {
  const fields = [...new URLSearchParams(hash.slice(1))];
  const found = Object.fromEntries(fields);
  if (Object.keys(found).length !== fields.length) return null;
  return Object.entries(REQUIRED).every(([name, form]) => form.test(found[name] ?? "")) ? found : null;
}

/** Say who would be logged in, and who is now, if that is somebody else. */
async function open() {
  // It is useful but not essential to know who is logged in: without that the question is the same.
  const found = session().catch(() => null);
  const now = await Promise.race([found, new Promise((done) => setTimeout(done, PATIENCE))]);
  fill($("asked"), "confirm", "who", ...person(credible(widget)));
  if (now && String(now.user.id) !== widget.id) {
    fill($("replaces"), "confirmReplaces", "who", ...person(now.user));
    $("replaces").hidden = false;
  }
  ask($("confirm-button"));
}

async function logIn() {
  hideNotice();
  const idle = busy($("confirm-button"), "loggingIn");
  try {
    await request("POST", "/telegram/login", { body: { widget } });
    location.replace(target ?? "/");
  } catch (error) {
    idle();
    if (FINAL.includes(error.code)) return refuse(error);
    await report(error);
    $("confirm-button").focus();
  }
}
