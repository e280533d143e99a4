// Where somebody is logged in: their sessions on all devices, and ending them. What a browser said about itself,
// and people's names, enter the page as text, never as markup.

import { dateTime, language, text, titlePage, translatePage } from "./i18n.js";
import { modal } from "./modal.js";
import { hideNotice, report } from "./notice.js";
import { fullName, isolated } from "./person.js";
import { fill } from "./question.js";
import { logout, Problem, revoke, session, sessions } from "./tgauth.js";
import { describe } from "./user-agent.js";

const LOGGED_OUT = ["unauthenticated", "invalid_session"];
const METHODS = ["widget", "oidc", "webapp", "relay"];
const UNITS = [
  ["month", 30 * 86_400],
  ["week", 7 * 86_400],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

const $ = (id) => document.getElementById(id);
const dialog = modal($("dialog"));

const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const regions = new Intl.DisplayNames(language, { type: "region", fallback: "none" });

// Whose sessions the page shows. If somebody else logs in from another tab, theirs must not be ended.
let user;
// What the dialog is asking about: what to do, to whose sessions, and what comes afterwards.
let asked = null;

translatePage();
titlePage(text("devices"));
$("others-button").addEventListener("click", () => {
  ask("endOthersAsked", "endOthers", (whose) => revoke("others", whose), () => reload("othersEnded"));
  $("note").textContent = text("endOthersNote");
});
$("all-button").addEventListener("click", () => {
  ask("endAllAsked", "endAll", (whose) => revoke("all", whose), () => finish("allEnded"));
  $("note").textContent = text("endAllNote");
});
$("yes-button").addEventListener("click", act);
$("no-button").addEventListener("click", dialog.close);
$("dialog").addEventListener("close", settle);
// A page that the browser kept is out of date, and its reader may be logged out by now.
addEventListener("pageshow", (event) => event.persisted && location.reload());
await open();

/** Show the sessions of the user who is logged in now; returns whether there is a user and a list. */
async function open() {
  try {
    const [login, found] = await Promise.all([session(), sessions()]);
    if (!login) return leave();
    user = login.user.id;
    fill($("whose"), "devicesNote", "name", isolated("", fullName(login.user), ""));
    show(found);
    return true;
  } catch (error) {
    if (LOGGED_OUT.includes(error.code)) return leave();
    await report(error, { retry: true });
  }
  return false;
}

/** Go to the login page, and come back once somebody is logged in. */
function leave() {
  location.replace(`/?${new URLSearchParams({ return_to: location.pathname })}`);
  return false;
}

function show(found) {
  // No session was used later than now, whatever this device's clock says.
  const now = Math.max(Date.now() / 1000, ...found.map((device) => device.last_seen));
  const sorted = [...found].sort((a, b) => b.current - a.current || b.last_seen - a.last_seen);
  $("list").replaceChildren(...sorted.map((device, index) => item(device, index, now)));
  $("alone").hidden = found.length > 1;
  $("several").hidden = found.length < 2;
  $("loading").hidden = true;
  $("devices").hidden = false;
}

/** One session of the list. */
function item(device, index, now) {
  const made = element("li", "device");
  const heading = element("h2");
  const name = deviceName(device.user_agent);
  heading.id = `device-${index}`;
  heading.append(bdi(name));
  made.append(heading);
  if (device.current) made.append(element("p", "badge", text("thisDevice")));
  // What means nothing to this page may still mean something to its reader.
  if (name === text("unknownDevice") && device.user_agent) made.append(element("p", "agent", bdi(device.user_agent)));
  const seen = element("p");
  fill(seen, "lastSeen", "when", time(device.last_seen, ago(now - device.last_seen)));
  const country = countryName(device.country);
  const method = METHODS.includes(device.method) ? device.method : "unknown";
  const began = time(device.created_at, day.format(device.created_at * 1000));
  made.append(seen, element("p", "", text(`by_${method}`), " · ", began));
  if (country) made.append(element("p", "", country));
  made.append(endButton(device, name, heading, index));
  return made;
}

function endButton(device, name, heading, index) {
  const made = element("button", "button quiet small", text(device.current ? "logout" : "end"));
  made.id = `end-${index}`;
  made.type = "button";
  // Say which session it ends: the buttons' own texts are all alike.
  made.setAttribute("aria-labelledby", `${made.id} ${heading.id}`);
  made.addEventListener("click", () => {
    if (device.current) {
      ask("endHere", "logout", logout, () => finish("loggedOut"));
      $("note").textContent = text("endHereNote");
    } else {
      const after = () => reload("oneEnded", { device: name }, index);
      ask("endOne", "endOneYes", (whose) => revoke(device.id, whose), after);
      fill($("note"), "endOneNote", "device", bdi(name));
    }
  });
  return made;
}

/** What people call the device, as far as its browser said. */
function deviceName(userAgent) {
  const { browser, system, app } = describe(userAgent);
  if (!system) return browser || text("unknownDevice");
  if (browser) return text("browserOn", { browser, system });
  return text(app ? "unknownApp" : "unknownBrowser", { system });
}

function countryName(code) {
  return /^[A-Z]{2}$/.test(code) && code !== "ZZ" ? regions.of(code) : undefined;
}

/** "`seconds` ago", in the reader's language. */
function ago(seconds) {
  const [unit, length] = UNITS.find(([, least]) => seconds >= least) ?? ["second", Infinity];
  return relative.format(-Math.floor(seconds / length), unit);
}

/** Ask in the dialog whether to do it. */
function ask(question, answer, action, after) {
  asked = { action, after, whose: { user } };
  $("asked").textContent = text(question);
  ready(answer);
  $("no-button").textContent = text("cancel");
  // Errors appear where the person is looking, below everything else, so that nothing moves under a finger.
  hideNotice();
  $("dialog").append($("notice"));
  $("status").textContent = "";
  dialog.open();
}

function ready(answer) {
  $("yes-button").hidden = false;
  $("yes-button").disabled = false;
  $("yes-button").textContent = text(answer);
}

/** Do what was asked about. Closing the dialog meanwhile does not stop it. */
async function act() {
  const doing = asked;
  hideNotice();
  $("yes-button").disabled = true;
  $("yes-button").textContent = text("ending");
  try {
    await doing.action(doing.whose);
  } catch (error) {
    if (LOGGED_OUT.includes(error.code)) return startOver();
    // Ended elsewhere meanwhile, as the person wanted.
    if (error.code !== "not_found") return refuse(doing, error);
  }
  if (asked === doing) close();
  await doing.after();
}

/** Nobody, or somebody else, is logged in here now. Nothing was ended, and the page shows the wrong sessions. */
async function startOver() {
  close();
  if (!(await open())) return;
  $("heading").focus();
  await report(new Problem("login_changed"));
}

async function refuse(doing, error) {
  await report(error);
  if (asked !== doing) return;
  ready("again");
  // Trying again would give the same answer.
  const final = error.code === "shared_store_required";
  if (final) $("no-button").textContent = text("close");
  $("yes-button").hidden = final;
  $(final ? "no-button" : "yes-button").focus();
}

/** The browser reports the closing only later, and must not then remove a notice shown meanwhile. */
function close() {
  dialog.close();
  settle();
}

/** After the dialog: the browser gives the focus back to the button that opened it. */
function settle() {
  if (!asked) return;
  asked = null;
  hideNotice();
  $("card").before($("notice"));
}

/** Show what is left, say what happened, and move the focus to where the list continues. */
async function reload(key, values, index = Infinity) {
  if (!(await open())) return;
  $("status").textContent = text(key, values);
  const buttons = $("list").querySelectorAll("button");
  (buttons.length > 1 && index < Infinity ? buttons[Math.min(index, buttons.length - 1)] : $("heading")).focus();
}

/** Nobody is logged in here any more. */
function finish(key) {
  titlePage(text(key));
  $("ended").textContent = text(key);
  $("devices").hidden = true;
  $("done").hidden = false;
  $("ended").focus();
}

function time(seconds, words) {
  const made = element("time", "", words);
  made.dateTime = new Date(seconds * 1000).toISOString();
  made.title = dateTime(seconds);
  return made;
}

function bdi(words) {
  return element("bdi", "", words);
}

function element(tag, className = "", ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}
