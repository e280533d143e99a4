// What an error code means and what to do: the page's own code, or the address's. It picks a text, no more.

import { problem, titlePage, translatePage } from "./i18n.js";

const code = document.documentElement.dataset.code ?? new URLSearchParams(location.search).get("code");
const { title, advice } = problem(code);

translatePage();
titlePage(title);
document.getElementById("title").textContent = title;
document.getElementById("advice").textContent = advice;
