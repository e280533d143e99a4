// A button that says yes, and takes no answer that was meant for something else.

// Milliseconds: more than between two clicks of a double click, less than it takes to read.
const READING = 700;
const ANSWERS = ["Enter", " "];

// The button that waits, if any; and the timer after which it works.
let waiting = null;
let timer;

/** Let `button` work only once the page has been in front, untouched, for a while. */
export function pause(button) {
  const listening = waiting !== null;
  waiting = button;
  wait();
  if (listening) return;
  // A window that covered this one closes, and the second half of a double click on it lands here: that is no yes.
  document.addEventListener("visibilitychange", wait);
  addEventListener("focus", wait);
  // Who clicks or types on and on has not read: each time the pause begins anew.
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, press, { capture: true });
  for (const kind of ["pointerup", "pointercancel", "keyup"]) addEventListener(kind, release, { capture: true });
  addEventListener("click", click, { capture: true });
}

function paused() {
  return waiting.hasAttribute("aria-disabled");
}

function wait() {
  clearTimeout(timer);
  waiting.setAttribute("aria-disabled", "true");
  timer = setTimeout(() => waiting.removeAttribute("aria-disabled"), READING);
}

/** What was pressed in the pause is no answer however long it is held, and neither is a key that repeats itself. */
function press(event) {
  if (!event.repeat) {
    if (paused()) clearTimeout(timer);
  } else if (event.target === waiting && ANSWERS.includes(event.key)) event.preventDefault();
}

function release() {
  if (paused()) wait();
}

function click(event) {
  if (!paused()) return;
  wait();
  if (waiting.contains(event.target)) event.stopPropagation();
}
