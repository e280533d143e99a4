// A Mini App's launch. Telegram puts its data into the address's fragment, and so can whoever makes a link.

import * as storage from "./storage.js";

const LOGGED_OUT = "tgauth.logged_out";
const TELEGRAM_WEB = "https://web.telegram.org";

/** The launch data in a fragment. Telegram adds its own to what is there, so of two one was planted. */
export function launchData(fragment) {
  const found = fragment.getAll("tgWebAppData");
  return found.length === 1 ? found[0] : null;
}

/** Whether Telegram shows this page: one of its apps, as its telegram-web-app.js knows them, or its web site. */
export function insideTelegram() {
  if ("TelegramWebviewProxy" in window || typeof window.external?.notify === "function") return true;
  if (window.parent === window) return false;
  const { ancestorOrigins } = location;
  // Firefox long had only the referrer.
  return ancestorOrigins ? ancestorOrigins[0] === TELEGRAM_WEB : document.referrer.startsWith(`${TELEGRAM_WEB}/`);
}

/** Whether this launch logs in without a click: inside Telegram, until somebody logs out of it. */
export function opensByItself(initData) {
  return insideTelegram() && storage.read(LOGGED_OUT) !== nameOf(initData);
}

/** Note that somebody logged out of this launch, so that a reload does not log in again. */
export function noteLogout(initData) {
  if (storage.write(LOGGED_OUT, nameOf(initData))) return;
  // Browsers can forbid storage in frames, and Telegram Web's are such. Then a reload must not find the launch.
  history.replaceState(null, "", location.pathname + location.search);
}

/** Forget the logout that was noted last. */
export function forgetLogout() {
  storage.write(LOGGED_OUT, null);
}

/** What tells launches apart: Telegram's own hash over the rest. */
function nameOf(initData) {
  return new URLSearchParams(initData).get("hash") ?? "";
}
