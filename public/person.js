// A person's name on a page: somebody's own words, which nobody has checked.

// A character that can be seen. Some people have none in their name: it is empty, or fillers and blank Braille alone.
const SEEN = /[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** First and last name, as far as there is something to see; else the username, else the id. */
export function names({ id, first_name, last_name, username }) {
  const seen = [first_name, last_name].filter((name) => SEEN.test(name ?? ""));
  return seen.length ? seen : [username ? `@${username}` : `Telegram ${id}`];
}

/** What to call somebody. */
export function fullName(user) {
  return names(user).join(" ");
}

/** Words as text of their own direction: on a line of their own where they need one, or "whole". */
export function isolated(before, words, after, kind = "person") {
  const made = document.createElement("span");
  const inner = document.createElement("bdi");
  made.className = kind;
  inner.textContent = words;
  made.append(before, inner, after);
  return made;
}
