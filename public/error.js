// What an error code means and what to do. The code is the page's own or the address's, and only picks a text.

import { text, titlePage, translatePage } from "./i18n.js";
import { explain } from "./notice.js";

// Another text for the button, if trying again does not help.
const BUTTONS = new Map([
  ["invalid_grant", "home"],
  ["not_allowed", "another"],
]);

const fixed = document.documentElement.dataset.code;
const query = new URLSearchParams(location.search);
const code = fixed ?? query.get("code");
// The request's id, as in the site's log. Nothing else from the address gets onto the page.
const [requestId] = query.get("reference")?.match(/^[A-Za-z0-9:._-]{1,128}$/) ?? [];

translatePage();
titlePage(explain(code, fixed ? {} : { ...takeTold(), requestId }));
if (BUTTONS.has(code)) document.getElementById("retry").textContent = text(BUTTONS.get(code));

/** What the API added for exactly this request, in a cookie that is read once. */
function takeTold() {
  const secure = location.protocol === "https:";
  const name = secure ? "__Host-tgauth-told" : "tgauth-told";
  const found = document.cookie.split("; ").filter((cookie) => cookie.startsWith(`${name}=`));
  if (found.length) document.cookie = `${name}=; Path=/; Max-Age=0; SameSite=Lax${secure ? "; Secure" : ""}`;
  try {
    const packed = found[0].slice(name.length + 1).replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const { reference, user, link } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return reference === requestId ? { user, link } : {};
  } catch {
    return {};
  }
}
