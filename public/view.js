// What the login page shows. Data enters the page as text, never as markup.

import { dateTime, text, titlePage } from "./i18n.js";
import { hideNotice } from "./notice.js";
import { outside } from "./outside.js";
import { firstSeen, fullName, names } from "./person.js";

const COLOURS = 6;

const $ = (id) => document.getElementById(id);
const views = ["loading", "login", "question", "account", "reopening"];
// Each view's button, and its text.
const buttons = {
  login: [$("login-button"), "login"],
  question: [$("continue-button"), "continue"],
  account: [$("logout-button"), "logout"],
};

/** Call `action` when the user asks to log in. */
export function onLogin(action) {
  for (const view of ["login", "question"]) buttons[view][0].addEventListener("click", action);
}

/** Call `action` when the user asks to log out. */
export function onLogout(action) {
  buttons.account[0].addEventListener("click", action);
}

outside($("reopening-link"));

/** Show the login button. With `announce` the user has just logged out and hears so. */
export function showLogin({ announce = false } = {}) {
  titlePage(text("title"));
  show("login");
  if (announce) settle("loggedOut", {}, buttons.login[0]);
}

/** Ask whether to log in with the launch data from a link. Few people are asked, so only they load the pause. */
export async function showQuestion() {
  const { pause } = await import("./pause.js");
  titlePage(text("question"));
  show("question");
  pause(buttons.question[0]);
}

/**
 * Say how to go on if no button helps: "afterLogout" or "launchOver" in a Mini App; "fromMenu" if Telegram did not say
 * who the user is; "outside" the frame if it did, in vain. With `focused` the user has just pressed something.
 */
export function showReopening(why, { focused = false } = {}) {
  titlePage(text(why));
  $("reopening-title").textContent = text(why);
  $("reopening-note").textContent = text(`${why}Note`);
  show("reopening");
  // The reason for a refusal stays beside the link that leads outside.
  if (why !== "outside") hideNotice();
  if (focused) $("reopening-title").focus();
}

/**
 * Show who is logged in, and a link to `target`, a URL, if there is one. With `announce` the login has just
 * happened and is said.
 */
export function showAccount({ user, session }, { announce = false, target = null } = {}) {
  const name = fullName(user);
  titlePage(name);
  $("name").textContent = name;
  const username = user.username ? `@${user.username}` : "";
  $("username").hidden = !username || username === name;
  $("username").textContent = username;
  $("method").textContent = text(session.method === "webapp" ? "webapp" : "telegram");
  showTime($("created"), session.created_at);
  showTime($("expires"), session.expires_at);
  showAvatar(user);
  $("return-link").hidden = !target;
  if (target) $("return-link").href = target;
  // A Mini App's session ends with the page.
  $("devices-link").hidden = session.transport !== "cookie";
  show("account");
  if (announce) settle("loggedIn", { name }, $("name"));
}

/** Link to the simulated Telegram; local development only. */
export function showSimulation() {
  $("simulation").hidden = false;
}

/** Disable the visible view's button and say on it what is happening. */
export function busy(key) {
  hideNotice();
  const button = visibleButton();
  button.disabled = true;
  button.textContent = text(key);
  $("status").textContent = text(key);
}

/** Undo `busy`, and give the button back the focus, which it lost while disabled. */
export function idle() {
  reset();
  visibleButton().focus();
}

function reset() {
  $("status").textContent = "";
  for (const [button, key] of Object.values(buttons)) {
    button.textContent = text(key);
    button.disabled = false;
  }
}

function visibleButton() {
  const visible = Object.keys(buttons).find((view) => !$(view).hidden);
  return buttons[visible][0];
}

function show(id) {
  reset();
  for (const view of views) $(view).hidden = view !== id;
}

/** Announce what changed and move the focus to where the page continues. */
function settle(key, values, target) {
  hideNotice();
  $("status").textContent = text(key, values);
  target.focus();
}

function showTime(time, seconds) {
  time.textContent = dateTime(seconds);
  time.dateTime = new Date(seconds * 1000).toISOString();
}

function showAvatar(user) {
  const avatar = $("avatar");
  avatar.className = `avatar colour-${user.id % COLOURS}`;
  avatar.textContent = initials(user);
  if (!user.photo_url?.startsWith("https://")) return;
  const photo = new Image();
  photo.alt = "";
  photo.referrerPolicy = "no-referrer";
  // The initials stay until it has loaded, and if it never does.
  photo.addEventListener("load", () => avatar.replaceChildren(photo));
  photo.src = user.photo_url;
}

function initials(user) {
  return names(user)
    .map((name) => firstSeen(name).toLocaleUpperCase())
    .join("");
}
