// Next.js 16 and newer: proxy.ts beside app/, in a separate project. (Before 16: middleware.ts, and the function
// is called `middleware`.) Pages learn who is logged in; visitors who are not are sent to log in, and come back.
//
// The session's cookie belongs to one host, so the site needs one: give tgauth's project the domain, and let its
// vercel.json pass a path on to the Next.js project, which has `basePath: "/app"` in its next.config. There are two
// rules, since the first page has no slash at its end:
//
//   { "source": "/app", "destination": "https://<the Next.js project>.vercel.app/app" },
//   { "source": "/app/:path+", "destination": "https://<the Next.js project>.vercel.app/app/:path+" }
//
// TGAUTH_ORIGIN is that domain, such as https://example.com. An app on any other origin has no cookie and sends
// `Authorization: Bearer …`, which is passed on as well.

import { NextResponse, type NextRequest } from "next/server";

const ORIGIN = process.env.TGAUTH_ORIGIN ?? "";
const COOKIE = ORIGIN.startsWith("https:") ? "__Host-tgauth" : "tgauth";
const USER = "x-tgauth-user";

/**
 * What pages find in the request's header `x-tgauth-user`: JSON, percent-encoded, since headers are ASCII. They may
 * believe it because the proxy runs for every path: if it did not, the header would be whatever the client sent.
 */
export interface User {
  id: number;
  first_name: string;
  last_name?: string;
  username?: string;
  photo_url?: string;
}

// Every path; "/" is separate, because it is not below itself.
export const config = { matcher: ["/", "/(.*)"] };

// Files made by the build are public.
const PUBLIC = /^\/(_next\/static\/|_next\/image$|favicon\.ico$)/;

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const headers = new Headers(request.headers);
  // Drop whatever the client sent under this name.
  headers.delete(USER);
  if (PUBLIC.test(request.nextUrl.pathname)) return NextResponse.next({ request: { headers } });
  const found = await whoIs(request);
  // Nobody is logged out because a server is unavailable: the cookie stays, and the same page works again later.
  if (found === "unknown") return answer(503, "unavailable", { "Retry-After": "5" });
  if (found === null) return showsPage(request) ? toLogin(request) : answer(401, "unauthenticated");
  headers.set(USER, encodeURIComponent(JSON.stringify(found)));
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Cache-Control", "private, no-store");
  return response;
}

/** The user, null if nobody is logged in, or "unknown" while tgauth cannot say. */
async function whoIs(request: NextRequest): Promise<User | null | "unknown"> {
  const headers = credentials(request);
  if (headers === null) return null;
  let response: Response;
  try {
    response = await fetch(`${ORIGIN}/telegram/verify`, {
      headers,
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(5000),
    });
    // 400: a bearer token that is malformed.
    if (response.status === 401 || response.status === 400) return null;
    if (response.status !== 200) return "unknown";
    const { user } = (await response.json()) as { user?: User };
    return Number.isSafeInteger(user?.id) ? user! : "unknown";
  } catch {
    return "unknown";
  }
}

/** Only the headers that identify the user: other cookies are not tgauth's to see. */
function credentials(request: NextRequest): Record<string, string> | null {
  const authorization = request.headers.get("authorization");
  // With another scheme, it is meant for whatever stands in front of the site.
  if (authorization !== null && /^bearer/i.test(authorization)) return { Authorization: authorization };
  const cookie = request.cookies.get(COOKIE);
  // Next.js decodes cookies; a token has no characters that need it.
  if (cookie === undefined || !/^[\w.-]+$/.test(cookie.value) || !mayUseCookie(request)) return null;
  return { Cookie: `${COOKIE}=${cookie.value}` };
}

/** A browser also sends its cookie with requests that another site caused; those must not change anything. */
function mayUseCookie(request: NextRequest): boolean {
  if (request.method === "GET" || request.method === "HEAD") return true;
  const site = request.headers.get("sec-fetch-site");
  return site === null ? request.headers.get("origin") === ORIGIN : site === "same-origin";
}

function showsPage(request: NextRequest): boolean {
  const { method, headers } = request;
  const dest = headers.get("sec-fetch-dest") ?? "document";
  // A service worker that passes a page's request on makes its destination empty; no script can navigate so.
  const passedOn = dest === "empty" && headers.get("sec-fetch-mode") === "navigate";
  return method === "GET" && (dest === "document" || passedOn);
}

/** 303 to Telegram, by way of tgauth, which sends the browser back to the page. */
function toLogin(request: NextRequest): NextResponse {
  const { basePath, pathname, search } = request.nextUrl;
  const page = (pathname === "/" ? basePath || "/" : basePath + pathname) + search;
  // Other characters, and segments that begin with a dot, are refused there (docs/API.md#where-a-login-leads).
  const accepted = /^\/[\w.~/?=&+:,%-]{0,511}$/.test(page) && !/\/[./]/.test(page);
  const query = new URLSearchParams({ return_to: accepted ? page : basePath || "/" });
  return NextResponse.redirect(`${ORIGIN}/telegram/start?${query}`, {
    status: 303,
    headers: { "Cache-Control": "no-store" },
  });
}

function answer(status: number, error: string, headers: Record<string, string> = {}): NextResponse {
  return NextResponse.json({ error }, { status, headers: { "Cache-Control": "no-store", ...headers } });
}
