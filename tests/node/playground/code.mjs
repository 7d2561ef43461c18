// Prints what "view code" shows, for a body and frames on standard input: {body, frames}.

import { readFileSync } from "node:fs";
import { load } from "./load.mjs";

const { body, frames } = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify(load("events", "code").codeFor(body, frames)));
