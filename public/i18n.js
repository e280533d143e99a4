// What the pages say, in English and Russian. Errors are keyed by the API's codes.

const en = {
  title: "Log in · tgauth",
  tagline: "Log in with your Telegram account. No password, nothing to remember.",
  login: "Log in with Telegram",
  opening: "Opening Telegram…",
  loading: "Loading…",
  logout: "Log out",
  loggingOut: "Logging out…",
  loggedIn: "You are logged in as {name}.",
  loggedOut: "You are logged out.",
  expires: "Session ends",
  widget: "Logged in with Telegram",
  webapp: "Logged in from the Mini App",
  retry: "Try again",
  home: "Go to the login page",
  continueAt: "Continue at {host}",
  reference: "Reference: {id}",
  development: "Development: Telegram is simulated here.",
  simulated: "See its users",
};

const ru = {
  title: "Вход · tgauth",
  tagline: "Войдите через свой аккаунт Telegram. Без пароля, и запоминать ничего не нужно.",
  login: "Войти через Telegram",
  opening: "Открываем Telegram…",
  loading: "Загрузка…",
  logout: "Выйти",
  loggingOut: "Выходим…",
  loggedIn: "Вы вошли как {name}.",
  loggedOut: "Вы вышли.",
  expires: "Сеанс до",
  widget: "Вход через Telegram",
  webapp: "Вход из мини-приложения",
  retry: "Попробовать ещё раз",
  home: "На страницу входа",
  continueAt: "Продолжить на {host}",
  reference: "Номер обращения: {id}",
  development: "Режим разработки: Telegram здесь имитируется.",
  simulated: "Посмотреть пользователей",
};

// [title, what it means and what to do]
const enProblems = {
  malformed_request: ["That request was damaged", "Part of it was lost or changed on the way. Start again from the login page."],
  unauthenticated: ["You are not logged in", "Log in with Telegram to continue."],
  invalid_session: ["Your session has ended", "It expired or was ended elsewhere. Log in again to continue."],
  login_rejected: ["This login was not accepted", "Telegram’s confirmation could not be verified, or this account may not log in here. Start again; if it keeps happening, tell the owner of this site."],
  login_stale: ["This login has expired", "A confirmation works once and for a few minutes. Start again to get a new one. In a Mini App, close it and open it again."],
  cross_site_blocked: ["Blocked for your safety", "The request seemed to come from another site. Open the login page directly and start again."],
  not_found: ["There is nothing here", "The address may be mistyped or out of date. Go to the login page."],
  method_not_allowed: ["That does not work this way", "This address does not take this kind of request. Start again from the login page."],
  body_too_large: ["Too much data", "The request was larger than this site accepts. Start again from the login page."],
  uri_too_long: ["The address is too long", "The link was longer than this site accepts. Start again from the login page."],
  unsupported_media_type: ["Unknown kind of data", "This site accepts JSON only. Start again from the login page."],
  internal: ["Something broke on our side", "Try again in a moment. If it keeps happening, give the owner of this site the reference."],
  misconfigured: ["Login is not set up yet", "If this site is yours: the function’s log names the variable to set and how. In Vercel, open Logs, correct the variable under Settings, and redeploy."],
  store_unavailable: ["Sessions cannot be reached", "Nobody was logged out. Try again in a few seconds."],
  network: ["No connection", "The site did not answer. Check your connection and try again."],
  foreign_login: ["This login did not start here", "The link came from another page or tab, so you were not logged in with it. If you want to log in, start from this page."],
  cancelled: ["Login cancelled", "No harm done. You can log in whenever you like."],
  other_origin: ["Login is at another address", "This site has several addresses, and Telegram knows one of them."],
  unknown: ["Something went wrong", "Go to the login page and try again. If it keeps happening, tell the owner of this site."],
};

const ruProblems = {
  malformed_request: ["Запрос повреждён", "Часть данных потерялась или изменилась по пути. Начните заново со страницы входа."],
  unauthenticated: ["Вы не вошли", "Чтобы продолжить, войдите через Telegram."],
  invalid_session: ["Сеанс завершён", "Он истёк или был завершён в другом месте. Чтобы продолжить, войдите снова."],
  login_rejected: ["Вход не принят", "Не удалось проверить подтверждение Telegram, либо этому аккаунту вход не разрешён. Начните заново; если не поможет, сообщите владельцу сайта."],
  login_stale: ["Этот вход устарел", "Подтверждение действует один раз и несколько минут. Начните заново, чтобы получить новое. Мини-приложение закройте и откройте снова."],
  cross_site_blocked: ["Заблокировано для вашей безопасности", "Похоже, запрос пришёл с другого сайта. Откройте страницу входа напрямую и начните заново."],
  not_found: ["Здесь ничего нет", "Возможно, в адресе опечатка или он устарел. Перейдите на страницу входа."],
  method_not_allowed: ["Так не получится", "Этот адрес не принимает такие запросы. Начните заново со страницы входа."],
  body_too_large: ["Слишком много данных", "Запрос больше, чем принимает сайт. Начните заново со страницы входа."],
  uri_too_long: ["Слишком длинный адрес", "Ссылка длиннее, чем принимает сайт. Начните заново со страницы входа."],
  unsupported_media_type: ["Неизвестный вид данных", "Сайт принимает только JSON. Начните заново со страницы входа."],
  internal: ["Что-то сломалось на нашей стороне", "Попробуйте чуть позже. Если не поможет, сообщите владельцу сайта номер обращения."],
  misconfigured: ["Вход ещё не настроен", "Если это ваш сайт: журнал функции называет переменную и объясняет, как её исправить. В Vercel откройте Logs, исправьте переменную в Settings и разверните заново."],
  store_unavailable: ["Сеансы недоступны", "Никто не вышел из системы. Попробуйте через несколько секунд."],
  network: ["Нет связи", "Сайт не ответил. Проверьте подключение и попробуйте ещё раз."],
  foreign_login: ["Этот вход начат не здесь", "Ссылка пришла с другой страницы или вкладки, поэтому вход по ней не выполнен. Если хотите войти, начните с этой страницы."],
  cancelled: ["Вход отменён", "Ничего страшного. Войти можно в любой момент."],
  other_origin: ["Вход по другому адресу", "У этого сайта несколько адресов, и Telegram знает один из них."],
  unknown: ["Что-то пошло не так", "Перейдите на страницу входа и попробуйте ещё раз. Если не поможет, сообщите владельцу сайта."],
};

const languages = { en: [en, enProblems], ru: [ru, ruProblems] };

export const language = choose();
const [texts, problems] = languages[language];

/** The text under `key`, with {placeholders} filled in. */
export function text(key, values = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Title and text for an error code; a code that is not known gets the general one. */
export function problem(code) {
  const [title, advice] = Object.hasOwn(problems, code) ? problems[code] : problems.unknown;
  return { title, advice };
}

/** A Unix time in seconds, in the reader's language and time zone. */
export function dateTime(seconds) {
  const format = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });
  return format.format(new Date(seconds * 1000));
}

/** Put the page into the reader's language: `<html lang>` and every element with data-text. */
export function translatePage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const link of document.querySelectorAll("a[hreflang]")) {
    if (link.hreflang === language) link.setAttribute("aria-current", "true");
    const url = new URL(location.href);
    url.hash = "";
    url.searchParams.set("lang", link.hreflang);
    link.href = url.href;
  }
}

function choose() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (Object.hasOwn(languages, asked)) {
    remember(asked);
    return asked;
  }
  const wanted = [remembered(), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  return wanted.find((tag) => Object.hasOwn(languages, tag)) ?? "en";
}

// The way through Telegram drops ?lang. Storage can be forbidden, and then the choice lasts one page.
function remember(chosen) {
  try {
    sessionStorage.setItem("tgauth.lang", chosen);
  } catch {
    return;
  }
}

function remembered() {
  try {
    return sessionStorage.getItem("tgauth.lang");
  } catch {
    return null;
  }
}
