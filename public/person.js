// A person's name on a page: somebody's own words, which nobody has checked.

const MAX_NAME = 64;
const USERNAME = /^[A-Za-z0-9_]{1,32}$/;
// A character that can be seen. Some names have none: they are empty, or only fillers and blank Braille.
const SEEN = /[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** First and last name, whichever are visible; otherwise the username, or the id. */
export function names({ id, first_name, last_name, username }) {
  const seen = [first_name, last_name].filter((name) => SEEN.test(name ?? ""));
  return seen.length ? seen : [username ? `@${username}` : `Telegram ${id}`];
}

/** The first character of it that can be seen. */
export function firstSeen(name) {
  return [...name].find((character) => SEEN.test(character));
}

/** What to call somebody. */
export function fullName(user) {
  return names(user).join(" ");
}

/** Words as text with their own direction: on their own line if they need one, or "whole". */
export function isolated(before, words, after, kind = "person") {
  const made = document.createElement("span");
  const inner = document.createElement("bdi");
  made.className = kind;
  inner.textContent = words;
  made.append(before, inner, after);
  return made;
}

/** Somebody's name, and their username if there is one. */
export function person(user) {
  const [name, username] = [fullName(user), `@${user.username}`];
  const shown = isolated("", name, "");
  return user.username && username !== name ? [shown, " ", isolated("(", username, ")", "whole")] : [shown];
}

/** The parts of a user that could be Telegram's: anybody may have written an address or a cookie. */
export function credible({ id, first_name, last_name, username }) {
  const [first, last] = [first_name, last_name].map((name) =>
    typeof name === "string" ? [...name].slice(0, MAX_NAME).join("") : "",
  );
  return { id, first_name: first, last_name: last, username: USERNAME.test(username) ? username : undefined };
}

/** The user whom an error is about, as `person`; null for anything that is not a user. */
export function account(user) {
  return Number.isSafeInteger(user?.id) ? person(credible(user)) : null;
}
