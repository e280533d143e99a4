// A browser and its system, as people call them, from what the browser says about itself.

// Most browsers also name those they are built on or want to pass for: the first match counts.
const BROWSERS = [
  ["Telegram", /Telegram/],
  ["Yandex Browser", /YaBrowser\//],
  ["Samsung Internet", /SamsungBrowser\//],
  ["Edge", /Edg(?:e|A|iOS)?\//],
  ["Opera", /OPR\/|OPT\/|OPiOS\/|Opera/],
  ["Vivaldi", /Vivaldi\//],
  ["DuckDuckGo", /DuckDuckGo\/|Ddg\//],
  ["UC Browser", /UCBrowser\//],
  ["Mi Browser", /MiuiBrowser\//],
  ["Huawei Browser", /HuaweiBrowser\//],
  ["Firefox", /Firefox\/|FxiOS\//],
];

const SYSTEMS = [
  ["iPhone", /iPhone|iPod/],
  ["iPad", /iPad/],
  ["Android", /Android/],
  ["ChromeOS", /CrOS/],
  ["Windows", /Windows/],
  ["Mac", /Macintosh|Mac OS X/],
  ["Linux", /Linux|X11/],
];

// An app that shows web pages is neither Chrome nor Safari, though it names what they are built on.
const APP = /; wv\)|(?:iPhone|iPad|iPod)(?!.*(?:Safari|CriOS)\/).*Mobile\//;
const PLAIN_BROWSERS = [
  ["Chrome", /Chrom(?:e|ium)\/|CriOS\//],
  ["Safari", /Version\/.*Safari\//],
];

/** The browser's name, or "" if unknown; the system's, likewise; and whether it is inside an app. */
export function describe(userAgent) {
  const app = APP.test(userAgent);
  const browser = named(BROWSERS, userAgent) || (app ? "" : named(PLAIN_BROWSERS, userAgent));
  return { browser, system: named(SYSTEMS, userAgent), app: app && !browser };
}

function named(list, userAgent) {
  return list.find(([, pattern]) => pattern.test(userAgent))?.[0] ?? "";
}
