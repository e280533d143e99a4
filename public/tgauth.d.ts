/** A Telegram account (docs/API.md#who-it-is). Key your data by `id`; names and username change. */
export interface User {
  readonly id: number;
  readonly first_name: string;
  readonly last_name?: string;
  readonly username?: string;
  readonly photo_url?: string;
  readonly language_code?: string;
  readonly is_premium?: boolean;
  readonly allows_write_to_pm?: boolean;
  readonly sub?: string;
  readonly phone_number?: string;
}

export type Method = "widget" | "webapp" | "oidc" | "relay";

/** A session. Times are seconds since 1970; at `expires_at` it ends if nobody uses it until then. */
export interface Session {
  readonly id: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly method: Method;
  readonly transport: "cookie" | "bearer";
}

export interface Login {
  readonly user: User;
  readonly session: Session;
}

/** One of a person's sessions; `user_agent` and `country` are its login's, "" if not known. */
export interface Device {
  readonly id: string;
  readonly created_at: number;
  readonly last_seen: number;
  readonly expires_at: number;
  readonly method: Method;
  readonly user_agent: string;
  readonly country: string;
  /** Whether it is the session that asked. */
  readonly current: boolean;
}

/** What can go wrong at the API (docs/API.md#errors), and before it is reached. */
export type ProblemCode =
  | "body_too_large"
  | "cross_site_blocked"
  | "identity_provider_unavailable"
  | "internal"
  | "invalid_grant"
  | "invalid_session"
  | "login_cancelled"
  | "login_rejected"
  | "login_stale"
  | "malformed_request"
  | "membership_required"
  | "method_not_allowed"
  | "misconfigured"
  | "not_allowed"
  | "not_found"
  | "rate_limited"
  | "relay_required"
  | "shared_store_required"
  | "store_unavailable"
  | "unauthenticated"
  | "unsupported_media_type"
  | "uri_too_long"
  /** No answer came. */
  | "network"
  /** The browser accepts no cookies from this site. */
  | "cookies_forbidden"
  /** The page is in a frame, where Telegram's login cannot open. */
  | "framed"
  /** Telegram knows another address of this site. If going there helps, the problem has it as `address`. */
  | "other_origin";

export class Problem extends Error {
  readonly code: ProblemCode;
  /** The request's id in the site's log, if the API answered. */
  readonly requestId: string | undefined;
  /** With "other_origin", unless it would lead back here: this page, where people can log in. */
  readonly address?: URL;
  /** With "not_allowed": the account that may not log in here, with its `id` and names. */
  readonly user?: Pick<User, "id" | "first_name" | "last_name" | "username">;
  /** Where the person can go on: the chat to join with "membership_required", production with "relay_required". */
  readonly link?: string;
  constructor(code: ProblemCode, requestId?: string);
}

export interface LoginOptions {
  /** A path on this site to come back to; by default the current page. */
  readonly returnTo?: string;
  /**
   * A Mini App's initData, from a page that does not load Telegram's script. It also logs in outside Telegram, where
   * anybody could have made it: ask first. "" says that the page is not a Mini App.
   */
  readonly initData?: string;
}

/**
 * Log in. In a Mini App the login is done when the promise resolves; any other page is left for Telegram, and the
 * promise stays pending. A login that fails changes nothing.
 */
export function login(options?: LoginOptions): Promise<Login>;

/** Who is logged in here; null if nobody is. A Mini App logs in first if it has to. */
export function session(): Promise<Login | null>;

/** Like `session`, and renews the session's cookie. */
export function refresh(): Promise<Login | null>;

export interface EndOptions {
  /** The id of the person on the page. If somebody else is logged in by now, it is "invalid_session". */
  readonly user?: number;
}

/** End this session; it is not an error if there is none. */
export function logout(options?: EndOptions): Promise<void>;

/** The person's sessions on all devices, the newest first. */
export function sessions(): Promise<Device[]>;

/** End one session by its `id`, all "others", or "all" of them, this one too. */
export function revoke(which: "others" | "all" | (string & {}), options?: EndOptions): Promise<void>;

/**
 * Whether Telegram shows this page as a Mini App: whether its client answers within half a second, or within three in
 * a frame that is still loading. For an ordinary page in the browser inside its apps it is false.
 */
export function insideTelegram(): Promise<boolean>;

export interface RequestOptions {
  /** Sent as JSON. */
  readonly body?: object;
}

/**
 * Ask the API, or your own function on this site, as the user who is logged in. The answer is its JSON, null for 204,
 * and nothing checks that it is a `T`.
 */
export function request<T = unknown>(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  options?: RequestOptions,
): Promise<T>;
