// How a login begins, on every page that has a button for it: at Telegram, or in a preview at production.

import { call, Problem } from "./api.js";

// Who asks, when, and a signature, which the API checks. Nothing in it needs encoding.
const TICKET = /^(?=[^~]{1,259}~)((?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d{1,5})?)~[A-Za-z0-9_~.-]{1,200}$/;

/** Begin a login that leads to `target`, a URL of this site, or just a login, and go where it continues. */
export async function startLogin(target) {
  // The API finds the login again by a cookie.
  if (!navigator.cookieEnabled) throw new Problem("cookies_forbidden");
  const { next, back } = way(await askForLogin(target));
  const home = new URL("/", back);
  // Telegram returns to the one origin it knows, and the cookie is not there.
  if (home.origin !== location.origin) {
    if (target) home.searchParams.set("return_to", target.pathname + target.search);
    throw Object.assign(new Problem("other_origin"), { address: home });
  }
  location.assign(next);
}

/** The host that a relay ticket is for, or null where it says none; whether it is genuine, only the API knows. */
export function askingHost(ticket) {
  return TICKET.exec(ticket)?.[1] ?? null;
}

/** Where the login goes on, and where in the end it comes back to. */
function way({ oidc_url: oidc, relay_url: relay, widget_auth_url: widget }) {
  const next = new URL(oidc ?? relay ?? widget);
  const asked = next.searchParams;
  if (oidc) return { next, back: asked.get("redirect_uri") };
  if (relay) return { next, back: `${location.protocol}//${askingHost(asked.get("ticket"))}` };
  return { next, back: asked.get("return_to") };
}

/** What the API takes for a target is less than what a browser does: where it refuses one, there is none. */
async function askForLogin(target) {
  if (target) {
    try {
      return await call("POST", "/telegram/start", { body: { return_to: target.pathname + target.search } });
    } catch (error) {
      if (error.code !== "malformed_request") throw error;
    }
  }
  return call("POST", "/telegram/start", { body: {} });
}
