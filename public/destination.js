// Where a login leads: the `return_to` of this page's address, and never to another site.

/** The address of this origin that `return_to` names, or null. */
export function destination() {
  const asked = new URLSearchParams(location.search).getAll("return_to");
  if (asked.length !== 1 || asked[0] === "") return null;
  let url;
  try {
    url = new URL(asked[0], location.origin);
  } catch {
    return null;
  }
  // A blob: address has the origin of the page that made it, too.
  if (url.origin !== location.origin || !/^https?:$/.test(url.protocol)) return null;
  // As in the API: no second host after "//", no name and password, no login that begins again.
  if (url.username || url.password || /\/\/|^\/(api\/)?telegram\//i.test(url.pathname)) return null;
  // On this site's pages a fragment can be a login, and the API does not accept one here either.
  url.hash = "";
  // Without one, people stay on the login page.
  return url.pathname + url.search === "/" ? null : url;
}
