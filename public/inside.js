// Whether Telegram shows this page as a Mini App: its client answers that, and nothing else. That the client's object is
// there says nothing, since the browser inside of its apps for iOS and macOS has it on every page, and stays mute.

const TELEGRAM_WEB = "https://web.telegram.org";
// How often Telegram's client is asked whether it is there, and how long each answer may take (milliseconds).
const TURNS = 8;
const TURN = 50;
// A shell of Telegram Desktop's answers its frame once that has loaded. So many turns are the most that it gets.
const LOADING_TURNS = 60;
// What Telegram's apps call to send an event: on Android, on iOS, macOS and Desktop, and on Windows Phone.
const RECEIVERS = [
  ["Telegram", "WebView", "receiveEvent"],
  ["TelegramGameProxy", "receiveEvent"],
  ["TelegramGameProxy_receiveEvent"],
];

// Whether the client answers, once somebody asked: a promise.
let asked = null;

/** Whether the client answers. `again` asks once more where it did not: it may have been slow. */
export async function answers({ again = false } = {}) {
  if (again && asked && !(await asked)) asked = null;
  return (asked ??= ask());
}

/**
 * Whether Telegram launched this page with this initData. A link that somebody follows inside of a Mini App can bring
 * data, too: where the tab has another person's launch, it may be such a one.
 */
export async function launched(initData) {
  const before = personOf(kept()?.initData);
  return (before === null || before === personOf(initData)) && (await answers());
}

/** What the tab remembers of its launch, as tgauth.js keeps it; null for nothing. */
export function kept() {
  try {
    return JSON.parse(sessionStorage.getItem("tgauth.launch"));
  } catch {
    return null;
  }
}

function personOf(initData) {
  try {
    return JSON.parse(new URLSearchParams(initData).get("user")).id ?? null;
  } catch {
    return null;
  }
}

/** Ask about the page's size until an answer comes, by whichever way the client has; false where none does. */
async function ask() {
  const framed = window.parent !== window;
  const post = framed ? toParent() : toClient();
  if (!post) return false;
  let answered = false;
  const hear = (event) => (answered ||= event === "viewport_changed");
  const undo = framed ? [hearParent(hear)] : [];
  for (let turn = 0, left = TURNS; !answered && left > 0 && turn < LOADING_TURNS; turn++) {
    // Each time anew: another script may have put its own in that place meanwhile.
    if (!framed) undo.unshift(...hearClient(hear));
    post("web_app_request_viewport");
    await new Promise((done) => setTimeout(done, TURN));
    if (!framed || document.readyState === "complete") left--;
  }
  for (const step of undo) step();
  return answered;
}

/** How a page speaks to the app that shows it, or null where there is none. */
function toClient() {
  const { TelegramWebviewProxy: proxy, external } = window;
  if (typeof proxy?.postEvent === "function") return (event) => proxy.postEvent(event, "{}");
  if (typeof external?.notify !== "function") return null;
  return (event) => external.notify(JSON.stringify({ eventType: event, eventData: {} }));
}

/** Call `hear` with each event that the app sends; what this returns undoes it. */
function hearClient(hear) {
  return RECEIVERS.map((path) => wrap(window, path, hear));
}

/** Put a function that hears first into the place of the one at the end of `path`, whether there is one or not. */
function wrap(holder, [name, ...rest], hear) {
  const before = holder[name];
  if (rest.length > 0) {
    const there = (holder[name] ??= {});
    const undo = wrap(there, rest, hear);
    return () => {
      undo();
      if (!before && holder[name] === there && Object.keys(there).length === 0) delete holder[name];
    };
  }
  if (before?.hears === hear) return () => {};
  const ours = (...event) => {
    hear(event[0]);
    return before?.apply(holder, event);
  };
  holder[name] = Object.assign(ours, { hears: hear });
  return () => {
    if (holder[name] !== ours) return;
    if (before) holder[name] = before;
    else delete holder[name];
  };
}

/** Speak to the page that frames this one, unless that is known to be another site's than Telegram's. */
function toParent() {
  const [origin = "null"] = location.ancestorOrigins ?? [];
  if (origin !== TELEGRAM_WEB && origin !== "null") return null;
  // What is sent is no secret, and who answers is looked at.
  return (event) => window.parent.postMessage(JSON.stringify({ eventType: event, eventData: {} }), "*");
}

/** Call `hear` with each event from Telegram's own page that frames this one; returns what undoes it. */
function hearParent(hear) {
  const listen = ({ source, origin, data }) => {
    if (source !== window.parent || origin !== TELEGRAM_WEB) return;
    try {
      hear(JSON.parse(data).eventType);
    } catch {
      // Something else that pages tell one another.
    }
  };
  addEventListener("message", listen);
  return () => removeEventListener("message", listen);
}
