// A page that asks one question, or says in its place why there is none.

import { text, titlePage } from "./i18n.js";
import { explain } from "./notice.js";

// Milliseconds: more than between two clicks of a double click, less than it takes to read.
const READING = 700;

// Whether there is a question, and when its button works again.
let asking = false;
let timer;

const $ = (id) => document.getElementById(id);

/** Show the question. `button`, which says yes, works once the page has been in front for a while. */
export function ask(button) {
  titlePage(text("confirmTitle"));
  show("question");
  const pause = () => {
    clearTimeout(timer);
    button.ariaDisabled = "true";
    timer = setTimeout(() => (button.ariaDisabled = null), READING);
  };
  pause();
  if (asking) return;
  asking = true;
  // A window that covered this one closes, and the second half of a double click on it lands here: that is no yes.
  document.addEventListener("visibilitychange", pause);
  addEventListener("focus", pause);
  addEventListener("click", (event) => button.ariaDisabled && event.stopPropagation(), { capture: true });
}

/** Say why there is no question, or no more: what it was about leads nowhere. */
export function refuse(problem) {
  titlePage(explain(problem.code, problem.requestId));
  const asked = !$("question").hidden;
  show("refusal");
  if (asked) $("title").focus();
}

/** Disable `button` and say on it what is happening; what this returns undoes it. */
export function busy(button, key) {
  const said = [...button.childNodes];
  button.disabled = true;
  button.textContent = text(key);
  $("status").textContent = text(key);
  return () => {
    button.replaceChildren(...said);
    button.disabled = false;
    $("status").textContent = "";
  };
}

/** Put a text into `element`, with `nodes` in place of the placeholder {name}. */
export function fill(element, key, name, ...nodes) {
  const [before, after] = text(key).split(`{${name}}`);
  element.replaceChildren(before, ...nodes, after);
}

function show(id) {
  for (const view of ["loading", "question", "refusal"]) $(view).hidden = view !== id;
}
