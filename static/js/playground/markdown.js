// The Markdown that models write, as a tree of plain values: nothing of it is ever HTML. `formatted.js` makes elements of
// the tree, each by its kind, with text as text. Whatever is not known here stays visible as it was written.
//
// Blocks: {kind: "heading", level, inline} "paragraph" "code" {language, text} "list" {ordered, start, items: [[block]]}
// "quote" {blocks} "table" {head, align, rows} "rule". Inline: text, or {kind: "strong" | "emphasis" | "struck", inline},
// {kind: "code", text}, {kind: "link", address, inline}, {kind: "break"}.

(function (playground) {
  const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`]*)$/;
  const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
  const RULE = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
  const ITEM = /^( *)([-*+]|\d{1,9}[.)])(\s+|$)(.*)$/;
  const QUOTE = /^ {0,3}> ?/;
  const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
  const DEEPEST = 12;
  const SAFE = /^(https?:\/\/|mailto:)[^\s<>"']+$/i;

  function parseMarkdown(text) {
    return blocksOf(text.replace(/\r\n?/g, "\n").split("\n"), 0);
  }

  function blocksOf(lines, depth) {
    if (depth > DEEPEST) return [{ kind: "paragraph", inline: [lines.join("\n")] }];
    const blocks = [];
    let at = 0;
    while (at < lines.length) {
      const [block, next] = blockAt(lines, at, depth);
      if (block) blocks.push(block);
      at = next;
    }
    return blocks;
  }

  function blockAt(lines, at, depth) {
    const line = lines[at];
    if (!line.trim()) return [null, at + 1];
    const fence = FENCE.exec(line);
    if (fence) return codeAt(lines, at, fence);
    const heading = HEADING.exec(line);
    if (heading) return [{ kind: "heading", level: heading[1].length, inline: inlineOf(heading[2]) }, at + 1];
    if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
    if (QUOTE.test(line)) return quoteAt(lines, at, depth);
    if (ITEM.test(line)) return listAt(lines, at, depth);
    if (beginsTable(lines, at)) return tableAt(lines, at);
    return paragraphAt(lines, at);
  }

  // A fence that is not closed yet goes on to the end: it is being written.
  function codeAt(lines, at, [, pad, marks, language]) {
    let end = at + 1;
    while (end < lines.length && !closes(lines[end], marks)) end += 1;
    const inner = lines.slice(at + 1, end).map((line) => (line.startsWith(pad) ? line.slice(pad.length) : line));
    return [{ kind: "code", language: language.trim().split(/\s/)[0], text: inner.join("\n") }, end + 1];
  }

  function closes(line, marks) {
    const bare = line.trim();
    return bare.length >= marks.length && bare === marks[0].repeat(bare.length);
  }

  function quoteAt(lines, at, depth) {
    let end = at;
    while (end < lines.length && QUOTE.test(lines[end])) end += 1;
    const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
    return [{ kind: "quote", blocks: blocksOf(inner, depth + 1) }, end];
  }

  function listAt(lines, at, depth) {
    const [, pad, marker] = ITEM.exec(lines[at]);
    const ordered = /\d/.test(marker);
    const indent = pad.length;
    const items = [];
    let end = at;
    while (end < lines.length) {
      const found = ITEM.exec(lines[end]);
      if (!found || found[1].length < indent || found[1].length > indent + 3 || /\d/.test(found[2]) !== ordered) break;
      if (RULE.test(lines[end])) break;
      const [inner, next] = itemAt(lines, end, found);
      items.push(blocksOf(inner, depth + 1));
      end = next;
    }
    return [{ kind: "list", ordered, start: ordered ? Number.parseInt(marker, 10) : null, items }, end];
  }

  // The lines of an item: those indented beneath it, and those that go on with its paragraph.
  function itemAt(lines, at, [, pad, marker, gap, text]) {
    const width = pad.length + marker.length + Math.min(Math.max(gap.length, 1), 4);
    const inner = [text];
    let end = at + 1;
    for (; end < lines.length; end += 1) {
      const line = lines[end];
      if (!line.trim()) {
        if (!belongs(lines, end + 1, pad.length)) break;
        inner.push("");
        continue;
      }
      const spaces = line.length - line.trimStart().length;
      if (spaces > pad.length) inner.push(line.slice(Math.min(spaces, width)));
      else if (lines[end - 1].trim() && isPlain(lines, end)) inner.push(line.trimStart());
      else break;
    }
    return [inner, end];
  }

  // Whether what follows an empty line is still the item's.
  function belongs(lines, at, indent) {
    while (at < lines.length && !lines[at].trim()) at += 1;
    return at < lines.length && lines[at].length - lines[at].trimStart().length > indent;
  }

  function isPlain(lines, at) {
    const line = lines[at];
    const other = [FENCE, HEADING, RULE, QUOTE, ITEM].some((kind) => kind.test(line));
    return Boolean(line.trim()) && !other && !beginsTable(lines, at);
  }

  function beginsTable(lines, at) {
    const next = lines[at + 1];
    return lines[at].includes("|") && next !== undefined && DIVIDER.test(next) && next.includes("-")
      && cellsOf(lines[at]).length === cellsOf(next).length && (next.includes("|") || cellsOf(lines[at]).length > 1);
  }

  function tableAt(lines, at) {
    const head = cellsOf(lines[at]);
    const align = cellsOf(lines[at + 1]).map((cell) => {
      if (cell.endsWith(":")) return cell.startsWith(":") ? "center" : "right";
      return "left";
    });
    let end = at + 2;
    while (end < lines.length && lines[end].includes("|") && lines[end].trim()) end += 1;
    const rows = lines.slice(at + 2, end).map((line) => {
      const cells = cellsOf(line);
      return head.map((_, column) => inlineOf(cells[column] ?? ""));
    });
    return [{ kind: "table", head: head.map(inlineOf), align, rows }, end];
  }

  function cellsOf(line) {
    const bare = line.trim().replace(/^\|/, "").replace(/\|$/, "");
    return bare.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
  }

  function paragraphAt(lines, at) {
    let end = at + 1;
    while (end < lines.length && isPlain(lines, end)) end += 1;
    return [{ kind: "paragraph", inline: inlineOf(lines.slice(at, end).join("\n")) }, end];
  }

  // -- within a line ---------------------------------------------------------------------------------

  const ESCAPED = /^\\([\\`*_{}[\]()#+\-.!|~<>$])/;
  const CODE = /^(`+)(?!`)([\s\S]*?[^`])\1(?!`)/;
  const LINK = /^!?\[((?:[^[\]]|\[[^[\]]*\])*)\]\(\s*<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+["'(][^)]*["')])?\s*\)/;
  const ADDRESS = /^<(https?:\/\/[^\s<>]+)>/;
  const BARE_ADDRESS = /^https?:\/\/[^\s<>()"']*[^\s<>()"'.,;:!?*_\]]/;
  const MARKED = [
    ["strong", /^\*\*(?=\S)((?:[^*]|\*(?!\*))*?\S)\*\*(?!\*)/],
    ["strong", /^__(?=\S)((?:[^_]|_(?!_))*?\S)__(?![\w_])/],
    ["emphasis", /^\*(?=[^\s*])([^*\n]*?[^\s*])\*(?!\*)/],
    ["emphasis", /^_(?=[^\s_])([^_\n]*?[^\s_])_(?!\w)/],
    ["struck", /^~~(?=\S)([^~]*?\S)~~/],
  ];
  const SPECIAL = /[\\`*_~[!<\n]|https?:\/\//;

  function inlineOf(text, depth = 0) {
    const parts = [];
    let rest = text;
    let before = "";
    while (rest) {
      const [part, length] = partAt(rest, before, depth);
      if (typeof part === "string" && typeof parts.at(-1) === "string") parts[parts.length - 1] += part;
      else parts.push(part);
      before = rest[length - 1];
      rest = rest.slice(length);
    }
    return parts;
  }

  function partAt(rest, before, depth) {
    const escaped = ESCAPED.exec(rest);
    if (escaped) return [escaped[1], 2];
    const code = CODE.exec(rest);
    if (code) return [{ kind: "code", text: code[2].replace(/^ (.*) $/s, "$1") }, code[0].length];
    const link = LINK.exec(rest);
    if (link) return [linkTo(link[2], link[1], depth, link[0]), link[0].length];
    const address = ADDRESS.exec(rest) ?? (/\w/.test(before) ? null : BARE_ADDRESS.exec(rest));
    if (address) {
      const target = address[1] ?? address[0];
      return [{ kind: "link", address: target, inline: [target] }, address[0].length];
    }
    const broken = /^(?: {2,}|\\)?\n/.exec(rest);
    if (broken) return [broken[0].length > 1 ? { kind: "break" } : "\n", broken[0].length];
    for (const [kind, mark] of depth < DEEPEST ? MARKED : []) {
      const found = mark.exec(rest);
      const inWord = found && found[0][0] === "_" && /\w/.test(before);
      if (found && !inWord) return [{ kind, inline: inlineOf(found[1], depth + 1) }, found[0].length];
    }
    return plainAt(rest);
  }

  // As much as can be passed over at once.
  function plainAt(rest) {
    const next = rest.slice(1).search(SPECIAL);
    const length = next < 0 ? rest.length : next + 1;
    const spaces = /( {2,})$/.exec(rest[length] === "\n" ? rest.slice(0, length) : "");
    const cut = spaces && spaces[1].length < length ? length - spaces[1].length : length;
    return [rest.slice(0, cut), cut];
  }

  // Only addresses that lead to the web or to somebody's mail; of others the text is left as it was written.
  function linkTo(address, label, depth, written) {
    if (!SAFE.test(address)) return written;
    return { kind: "link", address, inline: label ? inlineOf(label, depth + 1) : [address] };
  }

  Object.assign(playground, { parseMarkdown, isSafeAddress: (address) => SAFE.test(address) });
})(globalThis.playground);
