// A button that says yes, and ignores clicks and keys that were meant for something else.

// Milliseconds: more than between two clicks of a double click, less than it takes to read.
const READING = 700;
const ANSWERS = ["Enter", " "];

// The button that waits, if any; the timer after which it works; and what was pressed in the pause and is still down.
let waiting = null;
let timer;
const down = new Set();

/** Let `button` work only once the page has been in front, untouched, for a while. */
export function pause(button) {
  const listening = waiting !== null;
  waiting = button;
  wait();
  if (listening) return;
  // A window that covered this one closes, and the second half of a double click on it lands here: that is not a yes.
  document.addEventListener("visibilitychange", begin);
  addEventListener("focus", begin);
  // People who keep clicking or typing have not read: each time the pause starts again.
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, press, { capture: true });
  for (const kind of ["pointerup", "pointercancel", "keyup"]) addEventListener(kind, release, { capture: true });
  addEventListener("click", click, { capture: true });
}

function paused() {
  return waiting.hasAttribute("aria-disabled");
}

/** What was pressed may have been released elsewhere. */
function begin() {
  down.clear();
  wait();
}

function wait() {
  clearTimeout(timer);
  waiting.setAttribute("aria-disabled", "true");
  timer = setTimeout(() => waiting.removeAttribute("aria-disabled"), READING);
}

/** Keys pressed in the pause are not an answer, however long they are held, and neither are repeating keys. */
function press(event) {
  if (!event.repeat) {
    if (!paused()) return;
    clearTimeout(timer);
    down.add(event.code ?? event.pointerId);
  } else if (event.target === waiting && ANSWERS.includes(event.key)) event.preventDefault();
}

function release(event) {
  down.delete(event.code ?? event.pointerId);
  if (paused() && !down.size) wait();
}

function click(event) {
  if (!paused()) return;
  if (!down.size) wait();
  if (waiting.contains(event.target)) event.stopPropagation();
}
