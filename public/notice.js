// What went wrong and what to do about it: beside what the page shows, or in its place.

import { loadProblems, problem, text } from "./i18n.js";
import { Problem } from "./tgauth.js";

// Who cancelled did no wrong, and nothing did go wrong.
const CALM = "login_cancelled";

const $ = (id) => document.getElementById(id);

/** Show an error in the notice. One that is not a Problem is a defect of the page and goes to the console. */
export async function report(error, options = {}) {
  await loadProblems();
  if (error instanceof Problem) {
    return showProblem(error.code, { reference: error.requestId, address: error.address, ...options });
  }
  console.error(error);
  showProblem("unknown", options);
}

/** Take the notice away. */
export function hideNotice() {
  $("notice").hidden = true;
}

/** Put an error's title, advice and reference into the page's #title, #advice and #reference; the title. */
export function explain(code, reference) {
  const { title, advice } = problem(code);
  $("title").textContent = title;
  $("advice").textContent = advice;
  if (reference && code !== CALM) {
    $("reference").textContent = text("reference", { id: reference });
    $("reference").hidden = false;
  }
  return title;
}

function showProblem(code, { reference, address, retry = false }) {
  const { title, advice } = problem(code);
  const notice = $("notice");
  notice.replaceChildren(element(retry ? "h1" : "h2", title), element("p", advice));
  notice.classList.toggle("calm", code === CALM);
  if (address) notice.append(link(address, text("continueAt", { host: address.host })));
  if (retry) notice.append(retryButton());
  if (reference && code !== CALM) notice.append(element("p", text("reference", { id: reference }), "reference"));
  notice.hidden = false;
  $("card").hidden = retry;
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
