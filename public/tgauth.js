// For pages of the same site: who is logged in with Telegram, logging in and out, and on which devices. Types are in
// tgauth.d.ts. In a Mini App (inside.js) the same functions use initData, and a token that is kept for this launch.

// Where the tab keeps its launch, for all documents of an app.
const LAUNCH = "tgauth.launch";
// Codes after which a launch cannot lead to a session.
const REFUSED = /^(login_|malformed_|not_allowed|membership_)/;
// The query field of a page that a Problem "other_origin" led to (lib/tgauth/web/request.py: REDIRECTED).
const SENT = "redirected";

// The Mini App that this page is, once known: its initData ("" for none); `opened`, its login's answer; `opening`,
// the login under way, which calls share; and `over`, whether it was logged out for good.
let known = null;
// The one that Telegram's script reports, whoever made the link.
let launch = null;

/** What went wrong: `code` is the API's or one of this module's own (docs/API.md#errors). */
export class Problem extends Error {
  constructor(code, requestId) {
    super(code);
    this.name = "Problem";
    this.code = code;
    this.requestId = requestId;
  }
}

/** Log in a Mini App with its initData, or leave the page for Telegram, which leads back to `returnTo`, or here. */
export async function login({ returnTo, initData } = {}) {
  const before = known;
  if (initData !== undefined && initData !== known?.initData) known = recall(initData);
  // Somebody wants to get in: a client that was too slow to answer is asked once more.
  if (!known && telegrams()) await client("answers", { again: true });
  const app = await miniApp();
  if (!app) return leave(returnTo);
  try {
    return person(await enter(app));
  } catch (error) {
    // A login that fails changes nothing: with initData of no use, the page is what it was.
    if (known === app) known = before;
    throw error;
  }
}

/** The user who is logged in here, and the session; null if nobody is. */
export function session() {
  return personOrNull(request("GET", "/telegram/verify"));
}

/** Like `session`, and renews the session's cookie. */
export function refresh() {
  return personOrNull(request("POST", "/telegram/refresh", { body: {} }));
}

/** End this session, if there is one. With `user`, an id, only that person's; another's is "invalid_session". */
export async function logout({ user } = {}) {
  const app = await miniApp();
  // A Mini App's token is nobody else's. Even one that is used too often can be ended.
  const found = !app && user !== undefined && (await session().catch(unlessLimited));
  if (found && found.user.id !== user) throw new Problem("invalid_session");
  if (!app) return void (await send("POST", "/telegram/logout", {}));
  if (app.over) return;
  // First of all: a call that finds the session ended would log in again.
  app.over = true;
  try {
    // Only a token ends a launch; another document, or an answer that was lost, may have it.
    const opened = (await app.opening?.catch(() => null)) ?? app.opened ?? (await present(app));
    await send("POST", "/telegram/logout", {}, opened.token);
  } catch (error) {
    app.over = REFUSED.test(error.code);
    if (!app.over) throw error;
  }
  end(app);
}

/** The person's sessions on all devices, the newest first. */
export async function sessions() {
  return (await request("GET", "/telegram/sessions")).sessions;
}

/** End one session by its `id`, all "others", or "all" of them, this one too. `user` as for `logout`. */
export async function revoke(which, { user } = {}) {
  const query = new URLSearchParams(user && { user });
  if (which === "others") query.set("keep", "current");
  const body = which === "others" || which === "all" ? undefined : { id: which };
  await request("DELETE", `/telegram/sessions?${query}`, { body });
  const app = await miniApp();
  if (app && (which === "all" || which === app.opened?.session.id)) end(app);
}

/** Whether Telegram shows this page as a Mini App: whether its client answers (inside.js). */
export function insideTelegram() {
  return client("answers");
}

/** Ask the API, or your own function on this site. If a Mini App's session has ended, it logs in again, once. */
export async function request(method, path, { body } = {}) {
  const app = await miniApp();
  if (!app) return send(method, path, body);
  const used = await open(app);
  try {
    return await send(method, path, body, used.token);
  } catch (error) {
    if (error.code !== "invalid_session") throw error;
  }
  return send(method, path, body, (await open(app, used)).token);
}

/**
 * This page's Mini App, or null. Outside Telegram the launch data is whatever the link's author wrote: it logs nobody
 * in, unless the page itself passes it to `login`.
 */
async function miniApp() {
  if (known) return known.initData ? known : null;
  const initData = telegrams();
  if (!initData) return null;
  // One app, however many calls wait for the client's answer.
  if (launch?.initData !== initData) launch = recall(initData);
  const app = launch;
  if (!(await client("launched", initData))) return null;
  known ??= app;
  return app;
}

function telegrams() {
  return window.Telegram?.WebApp?.initData;
}

/** What inside.js answers. */
async function client(name, ...given) {
  const module = await import("./inside.js").catch(() => null);
  if (!module) throw new Problem("network");
  return module[name](...given);
}

/** The Mini App of this launch, as the tab remembers it. */
function recall(initData) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(LAUNCH));
    if (initData && kept?.initData === initData) return kept;
  } catch {
    // As there.
  }
  return { initData };
}

function keep({ initData, opened, over }) {
  try {
    sessionStorage.setItem(LAUNCH, JSON.stringify({ initData, opened, over }));
  } catch {
    // Forbidden: each document logs in, to the same session.
  }
}

function end(app) {
  app.over = true;
  app.opened = null;
  keep(app);
}

/** Who is logged in with this launch; logs in if nobody is yet, or any more. */
async function enter(app) {
  if (app.over) throw new Problem("login_stale");
  const { opened } = app;
  if (!opened) return open(app);
  try {
    return await send("GET", "/telegram/verify", undefined, opened.token);
  } catch (error) {
    if (error.code !== "invalid_session") throw error;
  }
  return open(app, opened);
}

function present(app) {
  return send("POST", "/telegram/login", { init_data: app.initData });
}

/** A Mini App's login: the one there is, unless it has `ended`, or the one under way, or a new one. */
async function open(app, ended) {
  if (app.over) throw new Problem("unauthenticated");
  if (app.opened && app.opened !== ended) return app.opened;
  app.opening ??= present(app)
    .then((answer) => {
      app.opened = answer;
      if (known === app) keep(app);
      return answer;
    })
    .finally(() => (app.opening = null));
  return app.opening;
}

function person({ user, session }) {
  return { user, session };
}

async function personOrNull(asked) {
  try {
    return person(await asked);
  } catch (error) {
    if (error.code === "unauthenticated" || error.code === "invalid_session") return null;
    throw error;
  }
}

function unlessLimited(error) {
  if (error.code !== "rate_limited") throw error;
}

async function leave(returnTo) {
  // Telegram's page does not open in a frame, and the cookie would not be kept there.
  if (window.parent !== window) throw new Problem("framed");
  // The API finds the login again by a cookie.
  if (!navigator.cookieEnabled) throw new Problem("cookies_forbidden");
  const { next, back } = way(await start(returnTo));
  const { origin } = new URL(back);
  // Telegram returns to the one origin it knows, and the cookie is not there. This page is.
  if (origin !== location.origin) throw otherOrigin(origin);
  if (sentHere()) history.replaceState(history.state, "", location.origin + own() + location.hash);
  location.assign(next);
  return new Promise(() => {});
}

/** With `address`, this page at `origin`, unless that would lead back here. */
function otherOrigin(origin) {
  const problem = new Problem("other_origin");
  // Not as a base: a path may begin with two slashes.
  const address = new URL(origin + own());
  const bare = (host) => host.replace(/^www\./, "");
  // One of a name and its www. twin redirects to the other, and people end up at this one.
  if (sentHere() || bare(address.host) === bare(location.host)) return problem;
  address.searchParams.set(SENT, "1");
  return Object.assign(problem, { address });
}

/** Whether an `address` of `otherOrigin` led to this page. */
function sentHere() {
  return new URLSearchParams(location.search).get(SENT) === "1";
}

/** This page's path and query, without what an `address` adds. */
function own() {
  const url = new URL(location.href);
  if (sentHere()) url.searchParams.delete(SENT);
  return url.pathname + url.search;
}

/** Begin a login in this browser. If the API does not accept this page's address as a path, "/" is used. */
async function start(returnTo) {
  try {
    return await send("POST", "/telegram/start", { return_to: returnTo ?? own() });
  } catch (error) {
    if (error.code !== "malformed_request" || returnTo !== undefined) throw error;
  }
  return send("POST", "/telegram/start", {});
}

/** Where the login continues, and where it finally comes back to. */
function way({ oidc_url: oidc, relay_url: relay, widget_auth_url: widget }) {
  const next = new URL(oidc ?? relay ?? widget);
  const asked = next.searchParams;
  if (oidc) return { next, back: asked.get("redirect_uri") };
  // A ticket begins with the host that asks.
  if (relay) return { next, back: `${location.protocol}//${asked.get("ticket").split("~")[0]}` };
  return { next, back: asked.get("return_to") };
}

/** Like `request`, with the cookie, or with this token. */
async function send(method, path, body, token) {
  const url = new URL(path, location.origin);
  // Another site must not get the token.
  if (url.origin !== location.origin) throw new TypeError(`${path} is not of this site`);
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const options = { method, headers, body: body && JSON.stringify(body), cache: "no-store", mode: "same-origin" };
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), 20_000);
  let response;
  let answer = null;
  try {
    response = await fetch(url, { ...options, signal: limit.signal });
    if (response.status !== 204) answer = await response.json();
  } catch (error) {
    // A body that is not JSON is not the API's: the platform answered instead.
    throw new Problem(error instanceof SyntaxError ? "internal" : "network");
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return answer;
  const requestId = typeof answer?.request_id === "string" ? answer.request_id : undefined;
  const problem = new Problem(typeof answer?.code === "string" ? answer.code : "internal", requestId);
  // Who is kept out, and where to go on, if the API says so.
  throw Object.assign(problem, { user: answer?.user, link: answer?.link });
}
