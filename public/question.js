// A page that asks one question, or says instead why there is none.

import { text, titlePage } from "./i18n.js";
import { explain } from "./notice.js";
import { pause } from "./pause.js";

const $ = (id) => document.getElementById(id);

/** Show the question. `button`, which says yes, works once the page has been in front for a while. */
export function ask(button) {
  titlePage(text("confirmTitle"));
  show("question");
  pause(button);
}

/** Say why there is no question, or no longer one: the login it was about cannot succeed. */
export function refuse(problem) {
  titlePage(explain(problem.code, problem));
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
