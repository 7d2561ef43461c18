// "View code": the very body of a request, written into the frames that the documentation's samples are made of.

(function (playground) {
  const WIDTH = 60;
  const LANGUAGES = [["curl", "curl"], ["python", "Python"], ["node", "Node"]];
  const BARE = /^[A-Za-z_$][\w$]*$/;

  // `frames` are those of the page: for each way to answer, a text a language with its body left open.
  function codeFor(body, frames) {
    const frame = frames.find((one) => one.slug === (body.stream ? "streamed" : "whole"));
    const written = { curl: curl(body), python: keywords(body), node: object(body) };
    return LANGUAGES.map(([slug, label]) => ({ slug, label, text: frame[slug].split("{{body}}").join(written[slug]) }));
  }

  function curl(body) {
    const lines = Object.entries(body).map(([name, value]) => `    "${name}": ${write(value, 4, JSON.stringify, quoted)}`);
    return `{\n${lines.join(",\n")}\n  }`.replaceAll("'", "'\\''");
  }

  function keywords(body) {
    return `\n${Object.entries(body).map(([name, value]) => `    ${name}=${write(value, 4, pythonic, quoted)},\n`).join("")}`;
  }

  function object(body) {
    return `{\n${Object.entries(body).map(([name, value]) => `  ${name}: ${write(value, 2, JSON.stringify, bare)},\n`).join("")}}`;
  }

  // On one line where it is short, else a part on a line.
  function write(value, indent, atom, key) {
    if (value === null || typeof value !== "object" || !Object.keys(value).length) return atom(value);
    const listed = Array.isArray(value);
    const parts = listed
      ? value.map((one) => write(one, indent + 2, atom, key))
      : Object.entries(value).map(([name, one]) => `${key(name)}: ${write(one, indent + 2, atom, key)}`);
    const [opening, closing] = listed ? "[]" : "{}";
    const flat = `${opening}${parts.join(", ")}${closing}`;
    if (!flat.includes("\n") && flat.length + indent <= WIDTH) return flat;
    const pad = " ".repeat(indent + 2);
    return `${opening}\n${pad}${parts.join(`,\n${pad}`)}\n${" ".repeat(indent)}${closing}`;
  }

  function pythonic(value) {
    if (value === null) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    return JSON.stringify(value);
  }

  function quoted(name) {
    return JSON.stringify(name);
  }

  function bare(name) {
    return BARE.test(name) ? name : JSON.stringify(name);
  }

  Object.assign(playground, { codeFor });
})(globalThis.playground);
