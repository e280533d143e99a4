// A login that a link brought, from a button in a Telegram chat or from anybody: it is asked about first.

import { call, Problem } from "./api.js";
import { destination } from "./destination.js";
import { text, titlePage, translatePage } from "./i18n.js";
import { explain, hideNotice, report } from "./notice.js";

const REQUIRED = ["id", "first_name", "auth_date", "hash"];
const OPTIONAL = ["last_name", "username", "photo_url"];
// With these the same link never logs in, however often it is tried.
const FINAL = ["login_stale", "login_rejected", "malformed_request"];

const $ = (id) => document.getElementById(id);

// Before anything else: the login must stay neither in the address bar nor in the history.
const fragment = location.hash;
history.replaceState(null, "", location.pathname + location.search);
const target = destination();

translatePage(fragment);
$("confirm-button").addEventListener("click", logIn);
// Back to this page is no second chance for the link.
addEventListener("pageshow", (event) => event.persisted && location.reload());
// A link that differs in the fragment only does not load the page.
addEventListener("hashchange", () => location.hash && location.reload());

const widget = readFields(fragment);
if (widget) await ask();
else refuse(new Problem(fragment ? "malformed_request" : "missing_login"));

/** The fields of Telegram in the fragment, or null when they cannot be: nothing is verified here. */
function readFields(hash) {
  const fields = [...new URLSearchParams(hash.slice(1))];
  const found = Object.fromEntries(fields);
  const names = Object.keys(found);
  if (names.length !== fields.length) return null;
  if (!names.every((name) => REQUIRED.includes(name) || OPTIONAL.includes(name))) return null;
  return REQUIRED.every((name) => found[name]) ? found : null;
}

/** Say who would be logged in, and who is now, if that is somebody else. */
async function ask() {
  // Who is logged in is worth knowing here, and no more: where it cannot be known, the question stands.
  const now = await call("GET", "/telegram/verify").catch(() => null);
  fill($("asked"), "confirm", widget);
  if (now && String(now.user.id) !== widget.id) {
    fill($("replaces"), "confirmReplaces", now.user);
    $("replaces").hidden = false;
  }
  titlePage(text("confirmTitle"));
  show("question");
}

async function logIn() {
  hideNotice();
  busy("loggingIn");
  try {
    await call("POST", "/telegram/login", { body: { widget } });
    location.replace(target ?? "/");
  } catch (error) {
    busy(null);
    if (FINAL.includes(error.code)) return refuse(error);
    report(error);
    $("confirm-button").focus();
  }
}

/** This link logs nobody in: say why in place of the question. */
function refuse(problem) {
  titlePage(explain(problem.code, problem.requestId));
  if (target) $("home-link").search = new URLSearchParams({ return_to: target.pathname + target.search });
  const asked = !$("question").hidden;
  show("refusal");
  if (asked) $("title").focus();
}

/** Put a text into `element`, with a person at {who}. */
function fill(element, key, { first_name, last_name, username }) {
  const [before, after] = text(key).split("{who}");
  const who = [isolated("", [first_name, last_name].filter(Boolean).join(" "), "")];
  if (username) who.push(" ", isolated("(", `@${username}`, ")"));
  element.replaceChildren(before, ...who, after);
}

/** Somebody's own words as text of its own direction. */
function isolated(before, words, after) {
  const made = document.createElement("span");
  const inner = document.createElement("bdi");
  made.className = "person";
  inner.textContent = words;
  made.append(before, inner, after);
  return made;
}

function busy(key) {
  const button = $("confirm-button");
  button.disabled = key !== null;
  button.textContent = text(key ?? "confirmButton");
  $("status").textContent = key === null ? "" : text(key);
}

function show(id) {
  for (const view of ["loading", "question", "refusal"]) $(view).hidden = view !== id;
}
