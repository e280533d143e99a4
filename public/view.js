// What the login page shows. Data enters the page as text, never as markup.

import { dateTime, problem, text, titlePage } from "./i18n.js";

const COLOURS = 6;

const $ = (id) => document.getElementById(id);
const views = ["loading", "login", "question", "account"];
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

/** Show the login button. With `announce` the user has just logged out and hears so. */
export function showLogin({ announce = false } = {}) {
  titlePage(text("title"));
  show("login");
  if (announce) settle("loggedOut", {}, buttons.login[0]);
}

/** Ask whether to log in with the launch data that a link brought. `announce` as for showLogin. */
export function showQuestion({ announce = false } = {}) {
  titlePage(text("question"));
  show("question");
  if (announce) settle("loggedOut", {}, buttons.question[0]);
}

/** Show who is logged in. With `announce` the login has just happened and is said. */
export function showAccount({ user, session }, { announce = false } = {}) {
  const name = [user.first_name, user.last_name].filter(Boolean).join(" ");
  titlePage(name);
  $("name").textContent = name;
  $("username").hidden = !user.username;
  $("username").textContent = user.username ? `@${user.username}` : "";
  $("method").textContent = text(session.method === "webapp" ? "webapp" : "widget");
  showTime($("created"), session.created_at);
  showTime($("expires"), session.expires_at);
  showAvatar(user);
  show("account");
  if (announce) settle("loggedIn", { name }, $("name"));
}

/** Say what went wrong, or what the user should know, and what to do next. */
export function showProblem(code, { reference, origin, retry = false } = {}) {
  const { title, advice } = problem(code);
  const notice = $("notice");
  notice.replaceChildren(element("h2", title), element("p", advice));
  notice.classList.toggle("calm", code === "cancelled");
  if (origin) notice.append(link(`${origin}/`, text("continueAt", { host: new URL(origin).host })));
  if (retry) notice.append(retryButton());
  if (reference) notice.append(element("p", text("reference", { id: reference }), "reference"));
  notice.hidden = false;
  $("card").hidden = retry;
}

/** Link to the simulated Telegram; local development only. */
export function showSimulation() {
  $("simulation").hidden = false;
}

/** Disable the visible view's button and say on it what is happening. */
export function busy(key) {
  $("notice").hidden = true;
  const button = visibleButton();
  button.disabled = true;
  button.textContent = text(key);
  $("status").textContent = text(key);
}

/** Undo `busy`; the focus, which a disabled button loses, is back on it. */
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
  $("notice").hidden = true;
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
  // Until it is there, and if it never comes, the initials stand.
  photo.addEventListener("load", () => avatar.replaceChildren(photo));
  photo.src = user.photo_url;
}

function initials(user) {
  const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return [user.first_name, user.last_name]
    .filter(Boolean)
    .map((name) => [...segments.segment(name)][0].segment.toLocaleUpperCase())
    .join("");
}

function element(tag, content, className) {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function link(href, content) {
  const made = element("a", content, "button quiet");
  made.href = href;
  return made;
}

function retryButton() {
  const made = element("button", text("retry"), "button quiet");
  made.type = "button";
  made.addEventListener("click", () => location.reload());
  return made;
}
