// What went wrong and what to do about it: beside what the page shows, or instead of it. What the API says about the
// person, or about where to go on, is validated, and enters the page as text or as an address that is built here.

import { loadProblems, problem, text, titlePage } from "./i18n.js";
import { outside } from "./outside.js";
import { account } from "./person.js";
import { Problem } from "./tgauth.js";

// Cancelling is not an error.
const CALM = "login_cancelled";
const CHAT = /^https:\/\/t\.me\/([A-Za-z][A-Za-z0-9_]{3,31})$/;

const $ = (id) => document.getElementById(id);

/** Show an error in the notice. One that is not a Problem is a bug in the page and goes to the console. */
export async function report(error, options = {}) {
  await loadProblems();
  if (error instanceof Problem) return showProblem(error.code, { ...error, ...options });
  console.error(error);
  showProblem("unknown", options);
}

/** Hide the notice. */
export function hideNotice() {
  $("notice").hidden = true;
}

/**
 * Put an error's title, advice and reference into the page's #title, #advice and #reference, and a link to
 * where the person can go on before the buttons. Returns the title.
 */
export function explain(code, { requestId, user, link } = {}) {
  const { title, advice } = problem(code);
  $("title").replaceChildren(...titled(title, user));
  $("advice").textContent = advice;
  const onward = onwardLink(code, link);
  if (onward) {
    onward.classList.remove("quiet");
    $("title").parentElement.querySelector(".button").classList.add("quiet");
    $("advice").after(onward);
  }
  if (requestId && code !== CALM) {
    $("reference").textContent = text("reference", { id: requestId });
    $("reference").hidden = false;
  }
  return title;
}

function showProblem(code, { requestId, address, user, link, retry = false }) {
  const { title, advice } = problem(code);
  const notice = $("notice");
  const heading = document.createElement("h2");
  heading.append(...titled(title, user));
  notice.replaceChildren(heading, element("p", advice));
  notice.classList.toggle("calm", code === CALM);
  if (address) notice.append(anchor(address, text("continueAt", { host: address.host })));
  const onward = onwardLink(code, link);
  if (onward) notice.append(onward);
  if (requestId && code !== CALM) notice.append(element("p", text("reference", { id: requestId }), "reference"));
  notice.hidden = false;
  if (retry) standIn(title);
}

/** For a page that cannot continue: its card names the site, and has the notice and a way to try again. */
function standIn(title) {
  titlePage(title);
  for (const shown of $("card").children) shown.hidden = true;
  const logo = new Image(64, 64);
  logo.src = "/favicon.svg";
  logo.alt = "";
  logo.className = "logo";
  const again = element("button", text("retry"), "button");
  again.type = "button";
  again.addEventListener("click", () => location.reload());
  const away = document.createElement("section");
  away.id = "away";
  away.append(logo, element("h1", location.hostname), $("notice"), again);
  $("card").append(away);
}

/** An error's title, and the person it is about. */
function titled(title, user) {
  const who = account(user);
  return who ? [`${title}: `, ...who] : [title];
}

/** A link to the chat to join, or to the site that logs in; null if that is not known. */
function onwardLink(code, link) {
  if (code === "membership_required") {
    const [, name] = CHAT.exec(link) ?? [];
    return name ? anchor(`https://t.me/${name}`, text("join", { name: `@${name}` })) : null;
  }
  if (code !== "relay_required") return null;
  try {
    const { protocol, origin, host } = new URL(link);
    return protocol === "https:" ? anchor(`${origin}/`, text("continueAt", { host })) : null;
  } catch {
    return null;
  }
}

function element(tag, content, className) {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function anchor(href, content) {
  const made = element("a", content, "button quiet");
  made.href = href;
  return outside(made);
}
