// Whether Telegram shows this page as a Mini App: only its client's answer tells. That the client's object is there
// proves nothing, since the browser inside its apps for iOS and macOS has it on every page, and does not answer.

const TELEGRAM_WEB = "https://web.telegram.org";
// How often Telegram's client is asked whether it is there, and how long each answer may take (milliseconds).
const TURNS = 8;
const TURN = 50;
// One shell of Telegram Desktop answers its frame only once that has loaded. It gets at most this many turns.
const LOADING_TURNS = 60;
// What Telegram's apps call to send an event: on Android, on iOS, macOS and Desktop, and on Windows Phone.
const RECEIVERS = [
  ["Telegram", "WebView", "receiveEvent"],
  ["TelegramGameProxy", "receiveEvent"],
  ["TelegramGameProxy_receiveEvent"],
];

// A promise of whether the client answers, once it was asked.
let asked = null;

/** Whether the client answers. `again` asks once more if it did not: it may have been slow. */
export async function answers({ again = false } = {}) {
  if (again && asked && !(await asked)) asked = null;
  return (asked ??= ask());
}

/**
 * Whether Telegram launched this page with this initData. A link that somebody follows inside a Mini App can bring
 * data, too: if the tab has another person's launch, this may be such a link.
 */
export async function launched(initData) {
  const before = personOf(kept()?.initData);
  return (before === null || before === personOf(initData)) && (await answers());
}

/** What tgauth.js made the tab remember of its launch; null for nothing. */
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

/** Ask about the page's size until an answer comes, in the way that the client offers; false if none comes. */
async function ask() {
  const framed = window.parent !== window;
  const post = framed ? toParent() : toClient();
  if (!post) return false;
  let answered = false;
  const hear = (event) => (answered ||= event === "viewport_changed");
  const undo = framed ? [hearParent(hear)] : [];
  for (let turn = 0, left = TURNS; !answered && left > 0 && turn < LOADING_TURNS; turn++) {
    // Each time again: another script may have replaced it meanwhile.
    if (!framed) undo.unshift(...hearClient(hear));
    post("web_app_request_viewport");
    await new Promise((done) => setTimeout(done, TURN));
    if (!framed || document.readyState === "complete") left--;
  }
  for (const step of undo) step();
  return answered;
}

/** How the page sends to the app that shows it, or null if there is none. */
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

/** Replace the function at the end of `path`, if any, by one that calls `hear` first. */
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

/** Send to the page that frames this one, unless it is known not to be Telegram's. */
function toParent() {
  const [origin = "null"] = location.ancestorOrigins ?? [];
  if (origin !== TELEGRAM_WEB && origin !== "null") return null;
  // What is sent is not secret, and the answer's sender is checked.
  return (event) => window.parent.postMessage(JSON.stringify({ eventType: event, eventData: {} }), "*");
}

/** Call `hear` with each event from Telegram's own page that frames this one; what this returns undoes it. */
function hearParent(hear) {
  const listen = ({ source, origin, data }) => {
    if (source !== window.parent || origin !== TELEGRAM_WEB) return;
    try {
      hear(JSON.parse(data).eventType);
    } catch {
      // Some other message between pages.
    }
  };
  addEventListener("message", listen);
  return () => removeEventListener("message", listen);
}
