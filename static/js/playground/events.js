// Server-sent events out of text that may be cut anywhere, by the rules of the HTML standard. The scripts of this folder
// share `playground`; those without the page's elements in them run under Node too, where the tests are.

globalThis.playground = globalThis.playground || {};

(function (playground) {
  const COST = /^x-2389-cost (\d+(?:\.\d+)?)$/;

  // `take` is called with each event's data, `remark` with each comment.
  class EventReader {
    constructor(take, remark = () => {}) {
      this.take = take;
      this.remark = remark;
      this.rest = "";
      this.data = [];
    }

    feed(text) {
      this.rest += text;
      // A CR at the very end may be the first half of a CRLF: it waits for what follows.
      const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
      this.rest = lines.pop();
      for (const line of lines) this.line(line);
    }

    // The body is over. A last event without its empty line counts.
    end() {
      if (this.rest) this.line(this.rest.replace(/\r$/, ""));
      this.rest = "";
      this.line("");
    }

    line(line) {
      if (line === "") {
        if (this.data.length) this.take(this.data.join("\n"));
        this.data = [];
      } else if (line.startsWith(":")) {
        this.remark(line.slice(1).trim());
      } else if (line === "data" || line.startsWith("data:")) {
        this.data.push(line.slice(5).replace(/^ /, ""));
      }
    }
  }

  // The exact dollars that a comment of the stream tells, or null when it is about something else.
  function costOf(comment) {
    const found = COST.exec(comment);
    return found ? found[1] : null;
  }

  Object.assign(playground, { EventReader, costOf });
})(globalThis.playground);
