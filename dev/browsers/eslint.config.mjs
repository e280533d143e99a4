// Fails on what the oldest browsers lack: syntax by ECMAScript's editions, interfaces by MDN's data.

import es from "eslint-plugin-es-x";
import { lacking, namesSince, newerThan, OLDEST } from "./interfaces.mjs";

// What these files use only where it is there: tests/browser/test_old_browsers.py takes each of them away.
const ASKED_FOR = {
  "modal.js": ["showModal"],
  "inside.js": ["ancestorOrigins", "external", "notify"],
};

const newer = newerThan(OLDEST);
const names = namesSince(OLDEST);

export default [
  es.configs["flat/restrict-to-es2021"],
  {
    languageOptions: { ecmaVersion: "latest", sourceType: "module" },
    linterOptions: { noInlineConfig: true },
    rules: {
      // Newer than ES2021, and they have it; older, and Safari 15 does not.
      "es-x/no-top-level-await": "off",
      "es-x/no-regexp-lookbehind-assertions": "error",
      ...interfaceRules([]),
    },
  },
  ...Object.entries(ASKED_FOR).map(([file, known]) => ({ files: [`**/${file}`], rules: interfaceRules(known) })),
  {
    // For browsers that are older than all of that.
    files: ["**/old-browser.js"],
    languageOptions: { ecmaVersion: 5, sourceType: "script" },
  },
];

/** ESLint's own rules against names, for all that is newer but these. */
function interfaceRules(known) {
  const properties = new Map();
  const globals = new Map();
  for (const { owner, name, support } of newer) {
    if (known.includes(name)) continue;
    const message = `It is not in the oldest ${lacking({ support }, OLDEST).join(", ")}.`;
    if (!owner || (owner === "Window" && names.has(name))) globals.set(name, { name, message });
    // Of what kind an object is, is not known here: a member that older kinds have, too, counts behind the newer
    // kind's own name.
    if (names.has(name)) properties.set(name, { property: name, message });
    else if (owner) properties.set(`${owner}.${name}`, { object: owner, property: name, message });
  }
  return {
    "no-restricted-properties": ["error", ...properties.values()],
    "no-restricted-globals": ["error", ...globals.values()],
  };
}
