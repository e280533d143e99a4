// What the pages say, in English and Russian. Errors are keyed by the API's codes. {site} is this site's host.

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
  confirm: "Log in to {site} as {who}?",
  confirmTitle: "Confirm your login",
  confirmNote: "Somebody else may have made the link that brought you here, so that you use this site as them. Continue only if you have just pressed a login button in Telegram yourself.",
  confirmReplaces: "You are logged in as {who} now. Continuing replaces that.",
  confirmButton: "Log in",
  decline: "No, go to the login page",
  relayAsked: "Log in to {host}",
  relayNote: "If you continue, you are logged in there with your Telegram name.",
  relayNoteFirst: "First log in here. You are asked once more before that address learns who you are.",
  relayWarning: "Continue only if you have just pressed the login button there. If somebody’s link brought you here, say no.",
  relayContinue: "Continue as {who}",
  loading: "Loading…",
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
  question: "Открыть этот сеанс мини-приложения?",
  questionNote: "В ссылке, которую вы открыли, записан чей-то вход через Telegram. Если продолжить, сайт примет вас за этого человека. Продолжайте, только если сами открыли мини-приложение.",
  continue: "Продолжить",
  confirm: "Войти на {site} как {who}?",
  confirmTitle: "Подтвердите вход",
  confirmNote: "Ссылку, которая привела вас сюда, мог сделать кто-то другой, чтобы вы пользовались сайтом под его именем. Продолжайте, только если вы сами только что нажали кнопку входа в Telegram.",
  confirmReplaces: "Сейчас вы вошли как {who}. Если продолжить, этот вход будет заменён.",
  confirmButton: "Войти",
  decline: "Нет, на страницу входа",
  relayAsked: "Войти на {host}",
  relayNote: "Если продолжить, вы войдёте там под своим именем из Telegram.",
  relayNoteFirst: "Сначала войдите здесь. Прежде чем тот адрес узнает, кто вы, мы спросим ещё раз.",
  relayWarning: "Продолжайте, только если вы сами только что нажали там кнопку входа. Если вас привела чужая ссылка, откажитесь.",
  relayContinue: "Продолжить как {who}",
  loading: "Загрузка…",
  logout: "Выйти",
  loggingOut: "Выходим…",
  loggedIn: "Вы вошли как {name}.",
  loggedOut: "Вы вышли.",
  expires: "Сеанс до",
  telegram: "Вход через Telegram",
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
  invalid_grant: ["This request to log in is over", "It has expired, was used before, or was damaged on the way. Go back to the preview that you came from and start again there."],
  unauthenticated: ["You are not logged in", "Log in with Telegram to continue."],
  invalid_session: ["Your session has ended", "It expired or was ended elsewhere. Log in again to continue."],
  login_rejected: ["This login was not accepted", "It was started elsewhere or too long ago, Telegram’s confirmation could not be verified, or this account may not log in here. Start again; if it keeps happening, tell the owner of this site."],
  login_cancelled: ["Login cancelled", "No harm done. You can log in whenever you like."],
  login_stale: ["This login has expired", "A confirmation works once and for a few minutes. Start again to get a new one. In a Mini App, close it and open it again."],
  cross_site_blocked: ["Blocked for your safety", "The request seemed to come from another site. Open the login page directly and start again."],
  membership_required: ["For members only", "Only members of this site’s chat in Telegram may log in. Join the chat, then try again."],
  not_found: ["There is nothing here", "The address may be mistyped or out of date. Go to the login page."],
  method_not_allowed: ["That does not work this way", "This address does not take this kind of request. Start again from the login page."],
  body_too_large: ["Too much data", "The request was larger than this site accepts. Start again from the login page."],
  uri_too_long: ["The address is too long", "The link was longer than this site accepts. Start again from the login page."],
  unsupported_media_type: ["Unknown kind of data", "This site accepts JSON only. Start again from the login page."],
  rate_limited: ["Too many attempts", "The same login came in many times within a minute. Wait a minute, then try again."],
  internal: ["Something broke on our side", "Try again in a moment. If it keeps happening, give the owner of this site the reference."],
  misconfigured: ["Login is not set up yet", "If this site is yours: the function’s log names the variable to set and how. In Vercel, open Logs, correct the variable under Settings, and redeploy."],
  relay_required: ["Login is off in this preview", "Telegram knows the address of production and not this one. If this site is yours: set AUTH_RELAY_SECRET and AUTH_RELAY_HOSTS in production and the same AUTH_RELAY_SECRET in previews, as docs/PREVIEWS.md shows, and redeploy both."],
  shared_store_required: ["This needs Redis", "This site keeps sessions in memory, where one part of it cannot reach another. So it cannot log out other devices, and cannot log anybody in to its previews. If this site is yours: set up Redis as the README shows, and redeploy."],
  store_unavailable: ["Sessions cannot be reached", "Nobody was logged out. Try again in a few seconds."],
  identity_provider_unavailable: ["Telegram cannot be reached", "Telegram did not confirm your login just now. Wait a few seconds, then start again."],
  network: ["No connection", "The site did not answer. Check your connection and try again."],
  foreign_login: ["This login did not start here", "The link came from somewhere else, so you were not logged in with it. If you want to log in, start from this page."],
  missing_login: ["This page needs a new link", "A link from Telegram opens it once. Press the login button in Telegram again, or go to the login page."],
  cookies_forbidden: ["Your browser keeps no cookies for this site", "A login needs them: on the way back from Telegram, the site must know that you asked. Allow cookies for this site, then try again."],
  other_origin: ["Login is at another address", "This site has several addresses, and Telegram knows one of them."],
  unknown: ["Something went wrong", "Go to the login page and try again. If it keeps happening, tell the owner of this site."],
};

const ruProblems = {
  malformed_request: ["Запрос повреждён", "Часть данных потерялась или изменилась по пути. Начните заново со страницы входа."],
  invalid_grant: ["Этот запрос на вход больше не действует", "Он устарел, уже использован или повреждён по пути. Вернитесь на предварительную версию сайта, с которой пришли, и начните там заново."],
  unauthenticated: ["Вы не вошли", "Чтобы продолжить, войдите через Telegram."],
  invalid_session: ["Сеанс завершён", "Он истёк или был завершён в другом месте. Чтобы продолжить, войдите снова."],
  login_rejected: ["Вход не принят", "Он начат в другом месте или слишком давно, подтверждение Telegram не удалось проверить, либо этому аккаунту вход не разрешён. Начните заново; если не поможет, сообщите владельцу сайта."],
  login_cancelled: ["Вход отменён", "Ничего страшного. Войти можно в любой момент."],
  login_stale: ["Этот вход устарел", "Подтверждение действует один раз и несколько минут. Начните заново, чтобы получить новое. Мини-приложение закройте и откройте снова."],
  cross_site_blocked: ["Заблокировано для вашей безопасности", "Похоже, запрос пришёл с другого сайта. Откройте страницу входа напрямую и начните заново."],
  membership_required: ["Только для участников", "Входить могут только участники чата этого сайта в Telegram. Вступите в чат и попробуйте снова."],
  not_found: ["Здесь ничего нет", "Возможно, в адресе опечатка или он устарел. Перейдите на страницу входа."],
  method_not_allowed: ["Так не получится", "Этот адрес не принимает такие запросы. Начните заново со страницы входа."],
  body_too_large: ["Слишком много данных", "Запрос больше, чем принимает сайт. Начните заново со страницы входа."],
  uri_too_long: ["Слишком длинный адрес", "Ссылка длиннее, чем принимает сайт. Начните заново со страницы входа."],
  unsupported_media_type: ["Неизвестный вид данных", "Сайт принимает только JSON. Начните заново со страницы входа."],
  rate_limited: ["Слишком много попыток", "Один и тот же вход пришёл много раз за минуту. Подождите минуту и попробуйте снова."],
  internal: ["Что-то сломалось на нашей стороне", "Попробуйте чуть позже. Если не поможет, сообщите владельцу сайта номер обращения."],
  misconfigured: ["Вход ещё не настроен", "Если это ваш сайт: журнал функции называет переменную и объясняет, как её исправить. В Vercel откройте Logs, исправьте переменную в Settings и разверните заново."],
  relay_required: ["В этой предварительной версии вход выключен", "Telegram знает адрес основного сайта, а этот не знает. Если это ваш сайт: задайте AUTH_RELAY_SECRET и AUTH_RELAY_HOSTS для production и тот же AUTH_RELAY_SECRET для preview, как описано в docs/PREVIEWS.md, и разверните заново и то и другое."],
  shared_store_required: ["Для этого нужен Redis", "Сайт хранит сеансы в памяти, и одна его часть не может достучаться до другой. Поэтому он не может завершить сеансы на других устройствах и впустить вас в предварительные версии. Если это ваш сайт: подключите Redis, как описано в README, и разверните заново."],
  store_unavailable: ["Сеансы недоступны", "Никто не вышел из системы. Попробуйте через несколько секунд."],
  identity_provider_unavailable: ["Telegram недоступен", "Telegram сейчас не подтвердил ваш вход. Подождите несколько секунд и начните заново."],
  network: ["Нет связи", "Сайт не ответил. Проверьте подключение и попробуйте ещё раз."],
  foreign_login: ["Этот вход начат не здесь", "Ссылка пришла из другого места, поэтому вход по ней не выполнен. Если хотите войти, начните с этой страницы."],
  missing_login: ["Нужна новая ссылка", "Ссылка из Telegram открывает эту страницу один раз. Нажмите кнопку входа в Telegram ещё раз или перейдите на страницу входа."],
  cookies_forbidden: ["Браузер не хранит файлы cookie этого сайта", "Без них не войти: когда вы вернётесь из Telegram, сайт должен знать, что вход начали вы. Разрешите этому сайту файлы cookie и попробуйте снова."],
  other_origin: ["Вход по другому адресу", "У этого сайта несколько адресов, и Telegram знает один из них."],
  unknown: ["Что-то пошло не так", "Перейдите на страницу входа и попробуйте ещё раз. Если не поможет, сообщите владельцу сайта."],
};

const languages = { en: [en, enProblems], ru: [ru, ruProblems] };

export const language = choose();
const [texts, problems] = languages[language];

/** The text under `key`, with {placeholders} filled in; one that has no value stays. */
export function text(key, values = {}) {
  const known = { site: location.hostname, ...values };
  return typeset(texts[key]).replace(/\{(\w+)\}/g, (placeholder, name) => known[name] ?? placeholder);
}

/** Title and text for an error code; a code that is not known gets the general one. */
export function problem(code) {
  const [title, advice] = Object.hasOwn(problems, code) ? problems[code] : problems.unknown;
  return { title: typeset(title), advice: typeset(advice) };
}

/** A Unix time in seconds, in the reader's language and time zone. */
export function dateTime(seconds) {
  const format = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });
  return format.format(new Date(seconds * 1000));
}

/**
 * Put the page into the reader's language: `<html lang>` and every element with data-text. The links to the
 * other languages keep the query, and of the fragment no more than `fragment`.
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
  if (Object.hasOwn(languages, asked)) {
    // The way through Telegram drops ?lang. Where storage is forbidden, the choice lasts one page.
    storage.write("tgauth.lang", asked);
    return asked;
  }
  const wanted = [storage.read("tgauth.lang"), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  return wanted.find((tag) => Object.hasOwn(languages, tag)) ?? "en";
}
