// A Mini App's launch. Telegram puts its data into the address's fragment, and so can whoever makes a link.

import * as storage from "./storage.js";
import { insideTelegram } from "./tgauth.js";

const LOGGED_OUT = "tgauth.logged_out";

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
