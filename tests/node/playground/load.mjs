// The page's scripts as a browser has them: one after another, in one realm. Those that make elements are left out.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const FOLDER = new URL("../../../static/js/playground/", import.meta.url);

export function load(...names) {
  const realm = vm.createContext({
    URLSearchParams, TextDecoder, TextEncoder, Blob, AbortController, performance, setTimeout, structuredClone,
    fetch: (...given) => globalThis.fetch(...given),
  });
  for (const name of names) vm.runInContext(readFileSync(new URL(`${name}.js`, FOLDER), "utf-8"), realm, { filename: name });
  return realm.playground;
}

// Values of another realm have other prototypes: compared as JSON has them.
export function plain(value) {
  return JSON.parse(JSON.stringify(value));
}
