// The login page: come back from Telegram or start as a Mini App, show who is logged in, log in, log out.

import { call, Problem } from "./api.js";
import { destination } from "./destination.js";
import { translatePage } from "./i18n.js";
import * as launch from "./launch.js";
import { startLogin } from "./login.js";
import { report } from "./notice.js";
import * as view from "./view.js";

// Before anything else: a login's proof must not stay in the address bar or the history. A Mini App's launch
// data stays, since Telegram gives it once and reloading the app needs it again.
const arrival = takeArrival();
const target = destination();

// A Mini App's session. Held here and nowhere else, so it ends with the page.
let token;

translatePage(arrival.initData ? location.hash : "");
view.onLogin(logIn);
view.onLogout(logOut);
// Back from Telegram's page may show this one as it was left, waiting.
addEventListener("pageshow", (event) => event.persisted && location.reload());
// A link that differs in the fragment only does not load the page.
addEventListener("hashchange", () => /[#&](tgAuthResult|tgWebAppData)=/.test(location.hash) && location.reload());
await open();
await noteSimulation();

/** What Telegram put into the fragment, if anything. */
function takeArrival() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const url = new URL(location.href);
  const found = {
    result: fragment.get("tgAuthResult"),
    state: url.searchParams.get("state"),
    initData: launch.launchData(fragment),
  };
  url.searchParams.delete("state");
  if (found.result !== null) url.hash = "";
  if (url.href !== location.href) history.replaceState(null, "", url);
  return found;
}

async function open() {
  if (arrival.initData && !launch.opensByItself(arrival.initData)) return showEntrance();
  try {
    const answer = arrival.initData ? await openMiniApp() : await finishLogin();
    // A Mini App's session would end with the page.
    if (answer && target && !token) return location.replace(target);
    if (answer) return view.showAccount(answer, { announce: true });
  } catch (error) {
    report(error);
    dropSpentLaunch(error);
  }
  try {
    // A link and no redirect: a target that does not know this session and sends back here would be a circle.
    view.showAccount(await call("GET", "/telegram/verify"), { target });
  } catch (error) {
    if (!["unauthenticated", "invalid_session"].includes(error.code)) return report(error, { retry: true });
    showEntrance();
  }
}

/** Offer the way to log in: the button, or a question where the launch may be somebody else's. */
function showEntrance(options) {
  if (arrival.initData && !launch.insideTelegram()) view.showQuestion(options);
  else view.showLogin(options);
}

/** Log in with what Telegram returned; whether this browser asked for it, the API knows by the state. */
async function finishLogin() {
  if (arrival.result === null) return null;
  if (!arrival.state) throw new Problem("foreign_login");
  const widget = decodeResult(arrival.result);
  if (widget === false) throw new Problem("login_cancelled");
  return call("POST", "/telegram/login", { body: { widget, state: arrival.state } });
}

async function openMiniApp() {
  const answer = await call("POST", "/telegram/login", { body: { init_data: arrival.initData } });
  token = answer.token;
  launch.forgetLogout();
  return answer;
}

/** Launch data that the API will never take makes way for the other way to log in; any other can be retried. */
function dropSpentLaunch(error) {
  if (["login_stale", "login_rejected", "malformed_request"].includes(error.code)) arrival.initData = null;
}

async function logIn() {
  view.busy(arrival.initData ? "loggingIn" : "opening");
  try {
    if (!arrival.initData) return await startLogin(target);
    view.showAccount(await openMiniApp(), { announce: true });
  } catch (error) {
    dropSpentLaunch(error);
    showEntrance();
    view.idle();
    report(error);
  }
}

async function logOut() {
  view.busy("loggingOut");
  try {
    await call("POST", "/telegram/logout", { body: {}, token });
    token = undefined;
    if (arrival.initData) launch.noteLogout(arrival.initData);
    showEntrance({ announce: true });
  } catch (error) {
    view.idle();
    report(error);
  }
}

/** On a developer's machine, say so when Telegram is a simulated one. */
async function noteSimulation() {
  if (!/^(127\.0\.0\.1|(.+\.)?localhost)$/.test(location.hostname)) return;
  const answer = await call("GET", "/_telegram/simulated.json").catch(() => null);
  if (answer?.simulated === true) view.showSimulation();
}

/** base64url of JSON: the widget's fields, or a bare false when the user cancelled. */
function decodeResult(result) {
  try {
    const bytes = Uint8Array.from(atob(result.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Problem("malformed_request");
  }
}
