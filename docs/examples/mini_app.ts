// A Mini App's session: Telegram's initData becomes a bearer token, which is kept only in memory and sent with
// every call. A page that is opened again logs in again, which leads to the same session; a cookie is not needed,
// and would not work in Telegram Web's frame. On another site put copies of /tgauth.js and /inside.js, which tell
// whether Telegram shows the page, at the same addresses.

import { insideTelegram } from "/tgauth.js";

interface WebApp {
  /** Empty if Telegram did not open the page. */
  readonly initData: string;
  ready(): void;
}

declare global {
  interface Window {
    readonly Telegram?: { readonly WebApp: WebApp };
  }
}

interface User {
  id: number;
  first_name: string;
}

/** A failure; `code` is tgauth's (docs/API.md#errors), or "network" if no answer came. */
export class Problem extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

const ORIGIN = document.documentElement.dataset.tgauth ?? "";
// One login for all calls that need it at the same time.
let token: Promise<string> | null = null;

/** Call a function as the person who opened the Mini App; returns the answer's JSON or throws a Problem. */
export async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  const used = session();
  try {
    return await send<T>(path, init, await used);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "invalid_session") throw error;
  }
  // The session has ended, here or on another device: log in again, once.
  if (token === used) token = null;
  return send<T>(path, init, await session());
}

function session(): Promise<string> {
  if (token === null) {
    const login = logIn();
    // The next call tries again after a failure.
    login.catch(() => {
      if (token === login) token = null;
    });
    token = login;
  }
  return token;
}

async function logIn(): Promise<string> {
  // Anybody can put launch data into a link to this page, and the person would use the site as the link's author.
  if (!(await insideTelegram())) throw new Problem("outside");
  const body = JSON.stringify({ init_data: window.Telegram?.WebApp.initData ?? "" });
  const headers = { "Content-Type": "application/json" };
  const answer = await send<{ token: string }>("/telegram/login", { method: "POST", headers, body });
  return answer.token;
}

async function send<T>(path: string, init: RequestInit, bearer?: string): Promise<T> {
  const headers = new Headers(init.headers);
  if (bearer !== undefined) headers.set("Authorization", `Bearer ${bearer}`);
  let response: Response;
  let answer: unknown;
  try {
    // No cookies: they are not meant for this, and another origin is not allowed to send them.
    response = await fetch(ORIGIN + path, { ...init, headers, credentials: "omit", cache: "no-store" });
    answer = response.status === 204 ? null : await response.json();
  } catch {
    throw new Problem("network");
  }
  if (response.ok) return answer as T;
  const { code } = answer as { code?: unknown };
  throw new Problem(typeof code === "string" ? code : "network");
}

const MESSAGES: Readonly<Record<string, string>> = {
  login_rejected: "Open this from the bot's chat.",
  login_stale: "This page is too old. Close it and open it again.",
  malformed_request: "Open this from the bot's chat.",
  outside: "Open this from the bot's chat.",
  membership_required: "Only members of the chat may use this. Join it, then try again.",
  not_allowed: "This account may not use this. Open it with another one, or ask the owner.",
};

async function show(): Promise<void> {
  const status = document.getElementById("status");
  if (status === null) return;
  try {
    const { user } = await call<{ user: User }>("/telegram/verify");
    // As text: names are whatever people like, and some have none.
    status.textContent = `Hello, ${user.first_name || user.id}`;
  } catch (error) {
    const code = error instanceof Problem ? error.code : "";
    status.textContent = MESSAGES[code] ?? "This does not work right now. Try again in a few seconds.";
  }
}

window.Telegram?.WebApp.ready();
document.getElementById("again")?.addEventListener("click", () => void show());
void show();
