// What the pages say, in English and Russian. {site} is this site's host. This file has what every page needs;
// error texts are in texts-problems.js, and individual pages' texts beside it.

import * as storage from "./storage.js";

const en = {
  title: "Log in",
  heading: "Log in to {site}",
  tagline: "Log in with your Telegram account. No password, nothing to remember.",
  login: "Log in with Telegram",
  opening: "Opening Telegram…",
  loggingIn: "Logging in…",
  question: "Open this Mini App session?",
  questionNote: "The link you opened carries somebody’s Telegram login. If you continue, you use this site as that person. Continue only if you opened this Mini App yourself.",
  continue: "Continue",
  decline: "No, go to the login page",
  afterLogout: "You are logged out",
  afterLogoutNote: "To log in again, close this Mini App and open it again. Telegram Desktop can open it with the login that you have just ended for up to a day: until then, log in another way.",
  launchOver: "Open this Mini App again",
  launchOverNote: "The login that Telegram opened it with has ended or expired. Close it and open it again. Telegram Desktop can open it with the same one for up to a day: until then, log in another way.",
  outside: "Log in outside of Telegram",
  outsideNote: "Telegram’s login page cannot open inside this window. In a browser you can log in, with another account too.",
  fromMenu: "Open this from the bot’s menu button",
  fromMenuNote: "Telegram opened this page without saying who you are, as it does from a button of a chat’s keyboard. Open it from the bot’s menu button, or log in outside of Telegram.",
  otherWay: "Log in another way",
  loading: "Loading…",
  devices: "Where you are logged in",
  logout: "Log out",
  loggingOut: "Logging out…",
  loggedIn: "You are logged in as {name}.",
  loggedOut: "You are logged out.",
  expires: "Session ends",
  telegram: "Logged in with Telegram",
  webapp: "Logged in from the Mini App",
  retry: "Try again",
  home: "Go to the login page",
  continueAt: "Continue at {host}",
  another: "Use another account",
  join: "Join {name}",
  reference: "Reference: {id}",
  development: "Development: Telegram is simulated here.",
  simulated: "See its users",
};

const ru = {
  title: "Вход",
  heading: "Вход на {site}",
  tagline: "Войдите через свой аккаунт Telegram. Без пароля, и запоминать ничего не нужно.",
  login: "Войти через Telegram",
  opening: "Открываем Telegram…",
  loggingIn: "Входим…",
  question: "Открыть эту сессию мини-приложения?",
  questionNote: "В ссылке, которую вы открыли, записан чей-то вход через Telegram. Если продолжить, сайт примет вас за этого человека. Продолжайте, только если сами открыли мини-приложение.",
  continue: "Продолжить",
  decline: "Нет, на страницу входа",
  afterLogout: "Вы вышли",
  afterLogoutNote: "Чтобы войти снова, закройте мини-приложение и откройте его ещё раз. Telegram Desktop до суток может открывать его с завершённым входом: до тех пор войдите другим способом.",
  launchOver: "Откройте мини-приложение заново",
  launchOverNote: "Вход, с которым Telegram его открыл, завершён или истёк. Закройте мини-приложение и откройте его ещё раз. Telegram Desktop до суток может открывать его с тем же входом: до тех пор войдите другим способом.",
  outside: "Войдите вне Telegram",
  outsideNote: "Страница входа Telegram не открывается внутри этого окна. В браузере можно войти, в том числе с другим аккаунтом.",
  fromMenu: "Откройте через кнопку меню бота",
  fromMenuNote: "Telegram открыл эту страницу, не сообщив, кто вы: так бывает с кнопками клавиатуры чата. Откройте её через кнопку меню бота или войдите вне Telegram.",
  otherWay: "Войти другим способом",
  loading: "Загрузка…",
  devices: "Где выполнен вход",
  logout: "Выйти",
  loggingOut: "Выходим…",
  loggedIn: "Вы вошли как {name}.",
  loggedOut: "Вы вышли.",
  expires: "Сессия до",
  telegram: "Вход через Telegram",
  webapp: "Вход из мини-приложения",
  retry: "Попробовать ещё раз",
  home: "На страницу входа",
  continueAt: "Продолжить на {host}",
  another: "Войти с другим аккаунтом",
  join: "Вступить в {name}",
  reference: "Номер обращения: {id}",
  development: "Режим разработки: Telegram здесь имитируется.",
  simulated: "Посмотреть пользователей",
};

// All that can be said if nothing more can be loaded. [title, what it means and what to do]
const enProblems = {
  network: ["No connection", "The site did not answer. Check your connection and try again."],
  unknown: ["Something went wrong", "Go to the login page and try again. If it keeps happening, tell the owner of this site."],
};

const ruProblems = {
  network: ["Нет связи", "Сайт не ответил. Проверьте подключение и попробуйте ещё раз."],
  unknown: ["Что-то пошло не так", "Перейдите на страницу входа и попробуйте ещё раз. Если не поможет, сообщите владельцу сайта."],
};

const languages = { en: [en, enProblems], ru: [ru, ruProblems] };

export const language = choose();
const [texts, problems] = languages[language];
let complete = false;

/** Add a page's own texts: the keys and words of each language. */
export function addTexts(more) {
  Object.assign(texts, more[language]);
}

/** Add texts about errors, likewise. */
export function addProblems(more) {
  Object.assign(problems, more[language]);
  complete = true;
}

/** Load every error's text. If that fails, `problem` says that there is no connection. */
export async function loadProblems() {
  await import("./texts-problems.js").catch(() => null);
}

/** The text under `key`, with {placeholders} filled in; those without a value stay. */
export function text(key, values = {}) {
  const known = { site: location.hostname, ...values };
  return typeset(texts[key]).replace(/\{(\w+)\}/g, (placeholder, name) => known[name] ?? placeholder);
}

/** Title and text for an error code; a code that is not known gets the general one. {origin} is this page's. */
export function problem(code) {
  const known = Object.keys(problems).includes(code) ? code : complete ? "unknown" : "network";
  const [title, advice] = problems[known];
  return { title: typeset(title), advice: typeset(advice).replace("{origin}", location.origin) };
}

/** A Unix time in seconds, in the reader's language and time zone. */
export function dateTime(seconds) {
  const format = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });
  return format.format(new Date(seconds * 1000));
}

/**
 * Put the page into the reader's language: `<html lang>` and every element with data-text. The links to the
 * other languages keep the query, but only `fragment` as fragment.
 */
export function translatePage(fragment = "") {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const link of document.querySelectorAll("a[hreflang]")) {
    if (link.hreflang === language) link.setAttribute("aria-current", "true");
    const url = new URL(location.href);
    url.hash = fragment;
    url.searchParams.set("lang", link.hreflang);
    link.href = url.href;
  }
}

/** Name the page in the browser's tab: what it shows, then where. */
export function titlePage(shown) {
  document.title = `${shown} · ${location.hostname}`;
}

/** A word of one letter stays on the line of the word that follows it. */
function typeset(words) {
  return words.replace(/(\S+) /g, (_, word) => `${word}${/^\p{L}$/u.test(word) ? "\u00a0" : " "}`);
}

function choose() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (Object.keys(languages).includes(asked)) {
    // Going through Telegram drops ?lang. If storage is forbidden, the choice lasts one page.
    storage.write("tgauth.lang", asked);
    return asked;
  }
  const wanted = [storage.read("tgauth.lang"), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  return wanted.find((tag) => Object.keys(languages).includes(tag)) ?? "en";
}
