// Amounts and times as people read them. Dollars are text, exact to the billionth: no number of JavaScript's is.

(function (playground) {
  // As the pages show them: from a cent on, whole cents; below, every digit that matters.
  function dollars(text) {
    const [whole, fraction = ""] = text.split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    if (/[1-9]/.test(whole) || /[1-9]/.test(fraction.slice(0, 2))) return `$${grouped}.${fraction.slice(0, 2).padEnd(2, "0")}`;
    const digits = fraction.replace(/0+$/, "");
    const first = digits.search(/[1-9]/);
    return first < 0 ? "$0.00" : `$0.${digits.slice(0, first + 2)}`;
  }

  function exactly(text) {
    const [whole, fraction = ""] = text.split(".");
    return `$${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction.padEnd(2, "0")}`;
  }

  // A price for a million tokens: never less exact than it is.
  function price(text) {
    return exactly(text);
  }

  function seconds(milliseconds) {
    if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
    return `${(milliseconds / 1000).toFixed(milliseconds < 10000 ? 2 : 1)} s`;
  }

  function count(number) {
    return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
  }

  // A number of tokens in a few characters: 8K, 128K, 1M.
  function size(tokens) {
    if (tokens >= 1_000_000) return `${+(tokens / 1_000_000).toFixed(1)}M`;
    return tokens >= 1000 ? `${Math.round(tokens / 1000)}K` : String(tokens);
  }

  Object.assign(playground, { dollars, exactly, price, seconds, count, size });
})(globalThis.playground);
