// Every function of public/tgauth.js, used as its types allow, and as they must not.

import {
  insideTelegram,
  login,
  logout,
  Problem,
  refresh,
  request,
  revoke,
  session,
  sessions,
  type Device,
  type EndOptions,
  type Login,
  type LoginOptions,
  type Method,
  type ProblemCode,
  type RequestOptions,
  type Session,
  type User,
} from "/tgauth.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Holds where the two types are one; `any` is the same as nothing but itself. */
function same<A, B>(_: Same<A, B>): void {}

interface Note {
  readonly text: string;
}

export async function everyFunction(): Promise<void> {
  const options: LoginOptions = { returnTo: "/account", initData: "" };
  const answer = await login(options);
  same<typeof answer, Login>(true);
  await login();
  await login({ returnTo: location.pathname });

  const found = await session();
  same<typeof found, Login | null>(true);
  const renewed = await refresh();
  same<typeof renewed, Login | null>(true);
  if (found) describe(found.user, found.session);

  const devices = await sessions();
  same<typeof devices, Device[]>(true);
  for (const { id, current, last_seen } of devices) {
    if (!current && last_seen < 1) await revoke(id);
  }
  await revoke("others");
  const ended = await revoke("all");
  same<typeof ended, void>(true);
  const theirs: EndOptions = { user: answer.user.id };
  await revoke("all", theirs);
  await logout(theirs);
  const over = await logout();
  same<typeof over, void>(true);

  const inside = await insideTelegram();
  same<typeof inside, boolean>(true);

  const body: RequestOptions = { body: { text: "first" } };
  const unknown = await request("GET", "/api/notes");
  same<typeof unknown, unknown>(true);
  const notes = await request<Note[]>("POST", "/api/notes", body);
  same<typeof notes, Note[]>(true);
}

function describe(user: User, session: Session): string {
  same<User["id"], number>(true);
  same<User["last_name"], string | undefined>(true);
  same<Session["method"], Method>(true);
  const until = new Date(session.expires_at * 1000);
  return `${user.first_name} ${user.last_name ?? ""} ${session.method === "webapp"} ${until.toISOString()}`;
}

export function advice(error: unknown): string {
  if (!(error instanceof Problem)) throw error;
  same<typeof error.code, ProblemCode>(true);
  same<typeof error.requestId, string | undefined>(true);
  switch (error.code) {
    case "login_stale":
      return "Open the Mini App again.";
    case "other_origin":
      return `Go to ${error.address?.href ?? ""}`;
    case "not_allowed":
      return `Not ${error.user?.first_name ?? "this account"} (${error.user?.id ?? 0})`;
    case "membership_required":
      return `Join ${error.link ?? "the chat"}`;
    case "network":
    case "store_unavailable":
      return "Try again.";
    default:
      return error.requestId ?? "";
  }
}

export async function mistakes(found: Login | null, problem: Problem): Promise<void> {
  // @ts-expect-error: there may be nobody
  found.user;
  // @ts-expect-error: not everybody has a username
  found?.user.username.length;
  // @ts-expect-error: an id is a number
  const id: string | undefined = found?.user.id;
  if (found) {
    // @ts-expect-error: what Telegram said stays as it is
    found.user.first_name = "Eve";
    // @ts-expect-error: the token is nobody's business
    found.token;
    // @ts-expect-error: no such method
    if (found.session.method === "password") return;
  }
  // @ts-expect-error: a path is text
  await login({ returnTo: new URL("/account", location.origin) });
  // @ts-expect-error: no such option
  await login({ return_to: "/account" });
  // @ts-expect-error: left out or text, but not undefined
  await login({ initData: undefined });
  // @ts-expect-error: which one?
  await revoke();
  // @ts-expect-error: by its id
  await revoke((await sessions())[0]);
  // @ts-expect-error: an id is a number
  await logout({ user: "1" });
  // @ts-expect-error: by text
  await revoke(1);
  // @ts-expect-error: no such code
  if (problem.code === "login_stael") return;
  // @ts-expect-error: no such code
  new Problem("login_stael");
  // @ts-expect-error: an answer without a body is none
  await request("HEAD", "/telegram/verify");
  // @ts-expect-error: JSON is made of it here
  await request("POST", "/api/notes", { body: "{}" });
  // @ts-expect-error: the token is nobody's business
  await request("GET", "/api/notes", { token: "tg1_" });
  // @ts-expect-error: what the answer is must be said
  (await request("GET", "/api/notes")).length;
  void id;
}
