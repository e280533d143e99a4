// The login page: come back from Telegram or start as a Mini App, show who is logged in, log in, log out.

import { destination } from "./destination.js";
import { translatePage } from "./i18n.js";
import { report } from "./notice.js";
import { login, logout, Problem, request, session } from "./tgauth.js";
import * as view from "./view.js";

// With these launch data never logs in, however often it is tried.
const SPENT = ["login_stale", "login_rejected", "malformed_request", "not_allowed"];

// First of all: a login's proof must not stay in the address or the history. A launch stays, for reloading the app.
const arrival = takeArrival();
const target = destination();
// Whose account the page shows.
let shown;
// Why the API took the launch for no login, if it did so for good: a code.
let refused = null;

translatePage(arrival.initData ? location.hash : "");
view.onLogin(logIn);
view.onLogout(logOut);
// Back from Telegram's page may show this one as it was left, waiting.
addEventListener("pageshow", (event) => event.persisted && location.reload());
// A link that differs in the fragment only does not load the page.
addEventListener("hashchange", () => /[#&?](tgAuthResult|tgWebAppData)=/.test(location.hash) && location.reload());
// Whether Telegram shows this page: a link's maker may have put the launch there.
const inside = Boolean(arrival.initData) && (await isLaunched());
const noted = noteSimulation();
await open();
await noted;

/** What Telegram put into the fragment, if anything. Of two launches, one was there before, so somebody planted it. */
function takeArrival() {
  // Behind the route of an address such as "#/shop" Telegram puts its data as a query.
  const fragment = new URLSearchParams(location.hash.slice(1).replace("?", "&"));
  const launches = fragment.getAll("tgWebAppData");
  const url = new URL(location.href);
  const found = {
    result: fragment.get("tgAuthResult"),
    state: url.searchParams.get("state"),
    initData: launches.length === 1 ? launches[0] : null,
  };
  url.searchParams.delete("state");
  if (found.result !== null) url.hash = "";
  if (url.href !== location.href) history.replaceState(null, "", url);
  return found;
}

async function open() {
  if (arrival.initData && !inside) return showEntrance();
  try {
    const answer = arrival.initData ? await openMiniApp() : await finishLogin();
    // A Mini App's session would end with the page.
    if (answer && target && !arrival.initData) return location.replace(target);
    if (answer) return showAccount(answer, { announce: true });
  } catch (error) {
    dropSpentLaunch(error);
    if (!isOver()) await report(error);
  }
  try {
    const found = await session();
    // Not a redirect: a target that does not know this session and sends back here would be a circle.
    if (found) showAccount(found, { target });
    else await showEntrance();
  } catch (error) {
    // A new login ends a session that is used too often.
    const retry = error.code !== "rate_limited";
    if (!retry) await showEntrance();
    await report(error, { retry });
  }
}

function showAccount(answer, options) {
  shown = answer.user.id;
  view.showAccount(answer, options);
}

/** Whether Telegram launched the page with the launch data that it came with; in doubt the page asks. */
async function isLaunched() {
  try {
    const { launched } = await import("./inside.js");
    return await launched(arrival.initData);
  } catch {
    return false;
  }
}

/** Offer the way to log in: the button, or a question where the launch may be somebody else's. */
async function showEntrance(options) {
  if (arrival.initData && !inside) await view.showQuestion();
  else if (isOver()) view.showReopening("launchOver");
  // Telegram's page opens in no frame, and none but Telegram may frame this one.
  else if (!arrival.initData && window.parent !== window) view.showReopening(refused ? "outside" : "fromMenu");
  else view.showLogin(options);
}

/** Whether Telegram has to open the page again: what it was opened with logs nobody in any more. */
function isOver() {
  return inside && refused === "login_stale";
}

/** Log in with what Telegram returned; whether this browser asked for it, the API knows by the state. */
async function finishLogin() {
  if (arrival.result === null) return null;
  if (!arrival.state) throw new Problem("foreign_login");
  const widget = decodeResult(arrival.result);
  if (widget === false) throw new Problem("login_cancelled");
  return request("POST", "/telegram/login", { body: { widget, state: arrival.state } });
}

function openMiniApp() {
  return login({ initData: arrival.initData });
}

/** Launch data that the API will never take makes way for the other way to log in; any other can be retried. */
function dropSpentLaunch(error) {
  if (!arrival.initData || !SPENT.includes(error.code)) return;
  refused = error.code;
  // A reload finds it over again.
  if (!isOver()) dropLaunch();
}

/** Nothing here is to offer the launch again. */
function dropLaunch() {
  if (arrival.initData) history.replaceState(null, "", location.pathname + location.search);
  arrival.initData = null;
}

async function logIn() {
  view.busy(arrival.initData ? "loggingIn" : "opening");
  try {
    if (!arrival.initData) return await leaveForTelegram();
    showAccount(await openMiniApp(), { announce: true });
  } catch (error) {
    dropSpentLaunch(error);
    await showEntrance();
    view.idle();
    await report(error);
  }
}

/** The API takes less for a target than a browser does: where it refuses one, there is none. */
async function leaveForTelegram() {
  try {
    return await login({ returnTo: target ? target.pathname + target.search : "/", initData: "" });
  } catch (error) {
    if (error.code !== "malformed_request" || !target) throw error;
  }
  return login({ returnTo: "/", initData: "" });
}

async function logOut() {
  view.busy("loggingOut");
  try {
    await logout({ user: shown });
    if (inside && arrival.initData) return view.showReopening("afterLogout", { focused: true });
    dropLaunch();
    await showEntrance({ announce: true });
  } catch (error) {
    // Somebody else has logged in from another tab.
    if (error.code === "invalid_session") return location.reload();
    view.idle();
    await report(error);
  }
}

/** On a developer's machine, say so when Telegram is a simulated one. */
async function noteSimulation() {
  if (!/^(127\.0\.0\.1|(.+\.)?localhost)$/.test(location.hostname)) return;
  const answer = await request("GET", "/_telegram/simulated.json").catch(() => null);
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
