import assert from "node:assert/strict";
import test from "node:test";
import { load, plain } from "./load.mjs";

const playground = load("events", "markdown");
const parse = (text) => plain(playground.parseMarkdown(text));
const inline = (text) => parse(text)[0].inline;

test("blocks are told apart", () => {
  const kinds = parse("# One\n\ntext\n\n- a\n- b\n\n1. c\n\n> quoted\n\n---\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```py\nx = 1\n```").map((block) => block.kind);
  assert.deepEqual(kinds, ["heading", "paragraph", "list", "list", "quote", "rule", "table", "code"]);
});

test("code is as it was written, also while it is being written", () => {
  assert.deepEqual(parse("```js\n<b>&amp;</b>\n# no heading\n```"), [{ kind: "code", language: "js", text: "<b>&amp;</b>\n# no heading" }]);
  assert.deepEqual(parse("```\nstill"), [{ kind: "code", language: "", text: "still" }]);
  assert.deepEqual(parse("````\n```\n````"), [{ kind: "code", language: "", text: "```" }]);
  assert.deepEqual(inline("a `**b**` c"), ["a ", { kind: "code", text: "**b**" }, " c"]);
});

test("marks stand for emphasis, and not within words", () => {
  assert.deepEqual(inline("**b** *e* ~~s~~"), [{ kind: "strong", inline: ["b"] }, " ", { kind: "emphasis", inline: ["e"] }, " ", { kind: "struck", inline: ["s"] }]);
  assert.deepEqual(inline("snake_case_name 2 * 3 * 4"), ["snake_case_name 2 * 3 * 4"]);
  assert.deepEqual(inline("\\*plain\\*"), ["*plain*"]);
});

test("lists hold lists, code and paragraphs of their own", () => {
  const [list] = parse("1. one\n   - deep\n   - deeper\n2. two\n\n   ```\n   x\n   ```\n3. three");
  assert.equal(list.items.length, 3);
  assert.equal(list.items[0][1].kind, "list");
  assert.equal(list.items[0][1].items.length, 2);
  assert.deepEqual(list.items[1][1], { kind: "code", language: "", text: "x" });
  assert.equal(parse("5. five")[0].start, 5);
});

test("a table has as many cells in each row as in its head", () => {
  const [table] = parse("| a | b |\n|:--|--:|\n| 1 |\n| x \\| y | 2 | 3 |");
  assert.deepEqual(table.align, ["left", "right"]);
  assert.deepEqual(table.rows, [[["1"], []], [["x | y"], ["2"]]]);
  assert.equal(parse("a | b\nc")[0].kind, "paragraph");
});

test("links lead to the web or to mail, and nowhere else", () => {
  assert.deepEqual(inline("[a](https://x.example/b_(c))"), [{ kind: "link", address: "https://x.example/b_(c)", inline: ["a"] }]);
  assert.deepEqual(inline("see https://x.example/a."), ["see ", { kind: "link", address: "https://x.example/a", inline: ["https://x.example/a"] }, "."]);
  for (const target of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "//x.example", "/o/acme/", "java\tscript:x"]) {
    const parts = inline(`[a](${target})`);
    assert.ok(parts.every((part) => typeof part === "string"), target);
  }
});

test("an image is a link to it: nothing is fetched", () => {
  assert.deepEqual(inline("![chart](https://x.example/a.png)"), [{ kind: "link", address: "https://x.example/a.png", inline: ["chart"] }]);
});

test("markup is text", () => {
  assert.deepEqual(parse("<img src=x onerror=alert(1)>\n<script>alert(1)</script>"), [{ kind: "paragraph", inline: ["<img src=x onerror=alert(1)>\n<script>alert(1)</script>"] }]);
});

test("nothing that is written is lost", () => {
  const text = "a **b `c** d` [e](f) ~~ g _ h * i ! j < k [l [m](n) \\ o";
  const words = (part) => (typeof part === "string" ? part : part.text ?? part.inline.map(words).join(""));
  const shown = inline(text).map(words).join("");
  for (const letter of "abcdeghijklmo") assert.ok(shown.includes(letter), letter);
});

test("what is meant to be slow is not", () => {
  for (const text of ["*".repeat(20_000), "[".repeat(5_000), "`".repeat(10_000), "> ".repeat(3_000), `${"- ".repeat(2_000)}x`, "_a".repeat(10_000), "|".repeat(5_000), "<https://".repeat(2_000)]) {
    playground.parseMarkdown(text);
  }
});
