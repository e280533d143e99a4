// Texts of devices.html only.

import { addProblems, addTexts } from "./i18n.js";

const en = {
  devicesNote: "{name}, here are your sessions on this site. If you do not recognise one, end it.",
  thisDevice: "This device",
  lastSeen: "Last active: {when}",
  by_widget: "Logged in with Telegram’s widget",
  by_oidc: "Logged in with Telegram",
  by_webapp: "Logged in from the Mini App",
  by_relay: "Logged in through the main site",
  by_unknown: "Logged in",
  browserOn: "{browser} on {system}",
  unknownBrowser: "Browser on {system}",
  unknownApp: "App on {system}",
  unknownDevice: "Unknown device",
  end: "End",
  endOne: "End this session?",
  endOneNote: "{device}: you will have to log in again there.",
  endOneYes: "End session",
  endHere: "Log out on this device?",
  endHereNote: "Your other sessions go on. To come back, log in with Telegram again.",
  endOthers: "End all other sessions",
  endOthersAsked: "End all other sessions?",
  endOthersNote: "Only this device stays logged in. Everywhere else you will have to log in again.",
  endAll: "Log out everywhere",
  endAllAsked: "Log out everywhere?",
  endAllNote: "All sessions end, this one too. You will have to log in again on every device.",
  cancel: "Cancel",
  close: "Close",
  ending: "Ending…",
  again: "Try again",
  oneEnded: "Session ended: {device}.",
  othersEnded: "All other sessions have ended.",
  allEnded: "You are logged out everywhere.",
  alone: "You are logged in nowhere else.",
  back: "Back to your account",
};

const ru = {
  devicesNote: "{name}, вот ваши сессии на этом сайте. Если какая-то вам незнакома, завершите её.",
  thisDevice: "Это устройство",
  lastSeen: "Последняя активность: {when}",
  by_widget: "Вход через виджет Telegram",
  by_oidc: "Вход через Telegram",
  by_webapp: "Вход из мини-приложения",
  by_relay: "Вход через основной сайт",
  by_unknown: "Вход выполнен",
  browserOn: "{browser} на {system}",
  unknownBrowser: "Браузер на {system}",
  unknownApp: "Приложение на {system}",
  unknownDevice: "Неизвестное устройство",
  end: "Завершить",
  endOne: "Завершить эту сессию?",
  endOneNote: "{device}: там придётся войти снова.",
  endOneYes: "Завершить сессию",
  endHere: "Выйти на этом устройстве?",
  endHereNote: "Остальные сессии продолжатся. Чтобы вернуться, снова войдите через Telegram.",
  endOthers: "Завершить все остальные сессии",
  endOthersAsked: "Завершить все остальные сессии?",
  endOthersNote: "Вход сохранится только на этом устройстве. На остальных придётся войти снова.",
  endAll: "Выйти везде",
  endAllAsked: "Выйти везде?",
  endAllNote: "Завершатся все сессии, и эта тоже. На каждом устройстве придётся войти снова.",
  cancel: "Отмена",
  close: "Закрыть",
  ending: "Завершаем…",
  again: "Повторить",
  oneEnded: "Сессия завершена: {device}.",
  othersEnded: "Все остальные сессии завершены.",
  allEnded: "Вы вышли на всех устройствах.",
  alone: "Больше вы нигде не вошли.",
  back: "Назад к аккаунту",
};

// What these mean for ending a session; other pages have a more general text, or none.
const enProblems = {
  login_changed: ["Nothing was ended", "Somebody has logged in here meanwhile, in another tab. Below are the sessions of the person who is logged in now."],
  store_unavailable: ["Not available right now", "This site can neither show nor end your sessions just now. Try again in a minute."],
  shared_store_required: ["This site cannot reach other devices", "Log out on the device itself. If you cannot, its session ends within a day of the login there. If this site is yours: set up Redis as the README shows, and redeploy; then sessions can be ended from here."],
};

const ruProblems = {
  login_changed: ["Ничего не завершено", "Тем временем здесь вошли заново, в другой вкладке. Ниже — сессии того, кто вошёл сейчас."],
  store_unavailable: ["Сейчас недоступно", "Сайт временно не может показать или завершить ваши сеансы. Попробуйте через минуту."],
  shared_store_required: ["Сайт не может связаться с другими устройствами", "Выйдите на самом устройстве. Если это невозможно, сессия там закончится в течение суток после входа. Если это ваш сайт: подключите Redis, как описано в README, и разверните заново; тогда сессии можно будет завершать отсюда."],
};

addTexts({ en, ru });
addProblems({ en: enProblems, ru: ruProblems });
