// The login page: come back from Telegram or start as a Mini App, show who is logged in, log in, log out.

import { destination } from "./destination.js";
import { translatePage } from "./i18n.js";
import { report } from "./notice.js";
import { login, logout, Problem, request, session } from "./tgauth.js";
import * as view from "./view.js";

// After these the launch data can never log in, however often it is tried.
const SPENT = ["login_stale", "login_rejected", "malformed_request", "not_allowed"];

// First of all: a login's proof must not stay in the address or history. A launch stays, for reloading the app.
const arrival = takeArrival();
const target = destination();
// Whose account the page shows.
let shown;
// The code with which the API refused the launch for good, if it did.
let refused = null;

translatePage(arrival.initData ? location.hash : "");
view.onLogin(logIn);
view.onLogout(logOut);
// Coming back from Telegram's page may show this one as it was left, waiting.
addEventListener("pageshow", (event) => event.persisted && location.reload());
// A link that differs only in its fragment does not load the page.
addEventListener("hashchange", () => /[#&?](tgAuthResult|tgWebAppData)=/.test(location.hash) && location.reload());
// Whether Telegram shows this page: a link's author may have put the launch there.
const inside = Boolean(arrival.initData) && (await isLaunched());
const noted = noteSimulation();
await open();
await noted;

/** What Telegram put into the fragment, if anything. If there are two launches, somebody planted one. */
function takeArrival() {
  // Telegram appends its data as a query to a route such as "#/shop".
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
    // Not a redirect: a target that does not know this session would send people back, in a circle.
    if (found) showAccount(found, { target });
    else await showEntrance();
  } catch (error) {
    // A new login replaces a session that is used too often.
    const retry = error.code !== "rate_limited";
    if (!retry) await showEntrance();
    await report(error, { retry });
  }
}

function showAccount(answer, options) {
  shown = answer.user.id;
  view.showAccount(answer, options);
}

/** Whether Telegram launched the page with its launch data; if in doubt, the page asks. */
async function isLaunched() {
  try {
    const { launched } = await import("./inside.js");
    return await launched(arrival.initData);
  } catch {
    return false;
  }
}

/** Offer the way to log in: the button, or a question if the launch may be somebody else's. */
async function showEntrance(options) {
  if (arrival.initData && !inside) await view.showQuestion();
  else if (isOver()) view.showReopening("launchOver");
  // Telegram's page does not open in a frame, and only Telegram may frame this one.
  else if (!arrival.initData && window.parent !== window) view.showReopening(refused ? "outside" : "fromMenu");
  else view.showLogin(options);
}

/** Whether Telegram has to open the page again: its launch data can no longer log in. */
function isOver() {
  return inside && refused === "login_stale";
}

/** Log in with what Telegram returned; the state tells the API whether this browser asked for it. */
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

/** Launch data that the API will never accept makes way for the other way to log in; the rest can be retried. */
function dropSpentLaunch(error) {
  if (!arrival.initData || !SPENT.includes(error.code)) return;
  refused = error.code;
  // After a reload it is refused again.
  if (!isOver()) dropLaunch();
}

/** Never offer the launch again on this page. */
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

/** The API accepts fewer targets than a browser does: without one that it accepts, go to the login page. */
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

/** On a developer's machine, say so if Telegram is simulated. */
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
