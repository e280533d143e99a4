// A person's name on a page: somebody's own words, which nobody has checked.

/** First and last name. */
export function fullName({ first_name, last_name }) {
  return [first_name, last_name].filter(Boolean).join(" ");
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
