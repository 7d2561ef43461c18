// The tree of `markdown.js` as elements. There is one maker for each kind, and no other way in.

(function (playground) {
  const { make } = playground;
  const MARKS = { strong: "strong", emphasis: "em", struck: "s" };

  const BLOCKS = {
    paragraph: ({ inline }) => make("p", {}, ...inlines(inline)),
    heading: ({ level, inline }) => make(`h${Math.min(6, level + 2)}`, {}, ...inlines(inline)),
    rule: () => make("hr"),
    quote: ({ blocks }) => make("blockquote", {}, ...blocks.map(block)),
    code: ({ language, text }) => playground.codeBlock(text, language ? `Code, ${language}` : "Code"),
    list: listed,
    table: tabled,
  };

  function formatted(text) {
    const fragment = document.createDocumentFragment();
    fragment.append(...playground.parseMarkdown(text).map(block));
    return fragment;
  }

  function block(tree) {
    return BLOCKS[tree.kind](tree);
  }

  function listed({ ordered, start, items }) {
    const list = make(ordered ? "ol" : "ul", {}, ...items.map((item) => make("li", {}, ...tight(item))));
    if (ordered && start !== 1) list.start = start;
    return list;
  }

  // An item of one paragraph stands without one, as lists are mostly written.
  function tight(item) {
    const [first, ...rest] = item;
    return first?.kind === "paragraph" ? [...inlines(first.inline), ...rest.map(block)] : item.map(block);
  }

  function tabled({ head, align, rows }) {
    const cell = (name, inline, column) =>
      make(name, { className: align[column] === "right" ? "number" : "", attributes: name === "th" ? { scope: "col" } : {} }, ...inlines(inline));
    const table = make("table", {},
      make("thead", {}, make("tr", {}, ...head.map((one, column) => cell("th", one, column)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((one, column) => cell("td", one, column))))),
    );
    return make("div", { className: "table", tabIndex: 0, attributes: { role: "region", "aria-label": "Table" } }, table);
  }

  function inlines(parts) {
    return parts.map((part) => (typeof part === "string" ? part : inline(part)));
  }

  function inline(part) {
    if (part.kind === "code") return make("code", {}, part.text);
    if (part.kind === "break") return make("br");
    if (part.kind === "link") return link(part);
    return make(MARKS[part.kind], {}, ...inlines(part.inline));
  }

  function link({ address, inline: label }) {
    if (!playground.isSafeAddress(address)) return make("span", {}, ...inlines(label));
    return make("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank", referrerPolicy: "no-referrer" }, ...inlines(label));
  }

  Object.assign(playground, { formatted });
})(globalThis.playground);
