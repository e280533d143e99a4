// What this tab remembers. A browser may forbid it: then nothing is read, and `write` says that it failed.

export function read(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Remember the value, or forget it if null; returns whether that worked. */
export function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
