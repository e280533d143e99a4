// What browsers have of JavaScript's and the web's interfaces, by MDN's data.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { api, javascript } = require("@mdn/browser-compat-data");
const { browserslist } = require("./package.json");

// Fields of the pages' own objects that have the name of something newer.
const OWN = new Set(
  "address country initData login opened read requestId retry session system token transport".split(" "),
);

/**
 * Each interface and member of one: `owner` is "" for what is global, `paths` where it can be found from there, and
 * `support` MDN's word on each browser.
 */
export const interfaces = [...members("", api), ...members("", javascript.builtins)];
/** Browsers, by MDN's names, with the version meant. */
export const OLDEST = table(browserslist);

/** The browsers of the table that lack it. */
export function lacking({ support }, browsers) {
  return Object.keys(browsers).filter((name) => !had(support[name], browsers[name]));
}

/** Those that some browser of the table lacks. */
export function newerThan(browsers) {
  return interfaces.filter((each) => lacking(each, browsers).length);
}

/** The names, such as "at", that no interface of the table's browsers has: who writes one means something newer. */
export function namesSince(browsers) {
  const newer = new Set(newerThan(browsers));
  const older = new Set([...OWN, ...interfaces.filter((each) => !newer.has(each)).map(({ name }) => name)]);
  return new Set([...newer].map(({ name }) => name).filter((name) => !older.has(name)));
}

/** A table from Browserslist's names. */
export function table(list) {
  const { chrome, firefox, safari, ios_saf } = Object.fromEntries(list.map((each) => each.split(" ")));
  const android = { chrome_android: chrome, webview_android: chrome, firefox_android: firefox };
  return { chrome, firefox, safari, safari_ios: ios_saf, ...android };
}

function* members(owner, data) {
  for (const [key, found] of Object.entries(data)) {
    const name = key.replace(/_static$/, "");
    // Events and remarks on how something behaves are no names; a constructor stands among its own members.
    if (!found.__compat || !/^[A-Za-z]+[0-9]*$/.test(name) || name === owner.split(".").pop()) continue;
    yield { owner, name, paths: paths(owner, key, name), support: found.__compat.support };
    if (!owner || owner === "Intl") yield* members(owner ? `${owner}.${name}` : name, found);
  }
}

function paths(owner, key, name) {
  if (!owner || owner === "Window") return [name];
  const fixed = `${owner}.${name}`;
  const member = `${owner}.prototype.${name}`;
  // Of JavaScript's own, MDN does not say which they are.
  if (owner.startsWith("Intl") || owner in javascript.builtins) return [fixed, member];
  return [key === name ? member : fixed];
}

function had(statements, version) {
  return [statements].flat().some((each) => {
    if (!each?.version_added || each.flags || each.prefix || each.alternative_name) return false;
    const since = (text) => parseFloat(text.replace("≤", "")) <= version;
    return since(each.version_added) && !(each.version_removed && since(each.version_removed));
  });
}
