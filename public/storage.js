// What this tab remembers. A browser may forbid it: nothing is read then, and `write` says that it failed.

export function read(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Whether the value, or with null its absence, is remembered now. */
export function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
