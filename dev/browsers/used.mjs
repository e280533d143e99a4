// Prints, as JSON, the interfaces that a browser may lack: `newer`, all that came after the oldest browsers; `used`, what
// public/ uses of those that came after the first browsers with modules.

import { readdirSync, readFileSync } from "node:fs";
import { parse } from "espree";
import { namesSince, newerThan, OLDEST, table } from "./interfaces.mjs";

const FIRST = table(["chrome 61", "firefox 60", "safari 11", "ios_saf 11"]);
const PUBLIC = new URL("../../public/", import.meta.url);

const members = new Set();
const words = new Set();
for (const file of readdirSync(PUBLIC).filter((name) => name.endsWith(".js"))) {
  collect(parse(readFileSync(new URL(file, PUBLIC), "utf-8"), { ecmaVersion: "latest", sourceType: "module" }));
}
const names = namesSince(FIRST);
// A member that older kinds have, too, is meant where the newer kind is named.
const meant = ({ owner, name }) =>
  owner ? members.has(name) && (names.has(name) || words.has(owner)) : words.has(name);
const paths = (found) => found.flatMap((each) => each.paths);

console.log(JSON.stringify({ newer: paths(newerThan(OLDEST)), used: paths(newerThan(FIRST).filter(meant)) }));

/** What is asked of objects, and every identifier: one of the pages' own can only make the list longer. */
function collect(node) {
  if (Array.isArray(node)) return node.forEach(collect);
  if (typeof node?.type !== "string") return;
  if (node.type === "MemberExpression" && !node.computed) members.add(node.property.name);
  if (node.type === "ObjectPattern") node.properties.forEach(({ key }) => members.add(key?.name));
  if (node.type === "Identifier") words.add(node.name);
  Object.values(node).forEach((child) => typeof child === "object" && collect(child));
}
