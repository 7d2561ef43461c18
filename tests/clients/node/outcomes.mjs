// A reporter for node --test: what became of each test, a JSON object a line.

export default async function* outcomes(source) {
  for await (const { type, data } of source) {
    const isTest = (type === "test:pass" || type === "test:fail") && data.details.type !== "suite";
    if (!isTest || data.nesting > 0 || data.name.endsWith(".mjs")) continue;
    const outcome = data.skip !== undefined || data.todo !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed";
    const why = outcome === "failed" ? (data.details.error?.cause?.stack ?? String(data.details.error)) : "";
    yield `${JSON.stringify({ name: data.name, outcome, why })}\n`;
  }
}
