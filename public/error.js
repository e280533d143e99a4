// What an error code means and what to do: the page's own code, or the address's. It picks a text, no more.

import { text, titlePage, translatePage } from "./i18n.js";
import { explain } from "./notice.js";

const fixed = document.documentElement.dataset.code;
const query = new URLSearchParams(location.search);
// The request's id, as the site's log has it. Nothing else of an address gets onto the page.
const [reference] = query.get("reference")?.match(/^[A-Za-z0-9:._-]{1,128}$/) ?? [];

translatePage();
titlePage(fixed ? explain(fixed) : explain(query.get("code"), reference));
// That login is another site's, which alone can begin it again.
if (query.get("code") === "invalid_grant") document.querySelector(".button").textContent = text("home");
