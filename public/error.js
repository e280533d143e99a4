// What an error code means and what to do. The code only picks a text; it is never shown.

import { problem, translatePage } from "./i18n.js";

const { title, advice } = problem(new URLSearchParams(location.search).get("code"));

translatePage();
document.title = `${title} · tgauth`;
document.getElementById("title").textContent = title;
document.getElementById("advice").textContent = advice;
