// Texts only of the pages that ask before they log in (confirm.html, relay.html).

import { addTexts } from "./i18n.js";

const en = {
  confirm: "Log in to {site} as {who}?",
  confirmTitle: "Confirm your login",
  confirmNote: "Somebody else may have made the link that brought you here, so that you use this site as them. Continue only if you have just pressed a login button in Telegram yourself.",
  confirmReplaces: "You are logged in as {who} now. Continuing replaces that.",
  confirmButton: "Log in",
  relayAsked: "Log in to {host}",
  relayNote: "If you continue, you are logged in there with your Telegram name.",
  relayNoteFirst: "First log in here. You are asked once more before that address learns who you are.",
  relayWarning: "Continue only if you have just pressed the login button there. If somebody’s link brought you here, say no.",
  relayContinue: "Continue as {who}",
};

const ru = {
  confirm: "Войти на {site} как {who}?",
  confirmTitle: "Подтвердите вход",
  confirmNote: "Ссылку, которая привела вас сюда, мог сделать кто-то другой, чтобы вы пользовались сайтом под его именем. Продолжайте, только если вы сами только что нажали кнопку входа в Telegram.",
  confirmReplaces: "Сейчас вы вошли как {who}. Если продолжить, этот вход будет заменён.",
  confirmButton: "Войти",
  relayAsked: "Войти на {host}",
  relayNote: "Если продолжить, вы войдёте там под своим именем из Telegram.",
  relayNoteFirst: "Сначала войдите здесь. Прежде чем тот адрес узнает, кто вы, мы спросим ещё раз.",
  relayWarning: "Продолжайте, только если вы сами только что нажали там кнопку входа. Если вас привела чужая ссылка, откажитесь.",
  relayContinue: "Продолжить как {who}",
};

addTexts({ en, ru });
