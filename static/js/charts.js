// Charts, drawn from the numbers that the page brings along, and the parts of pages that are fetched again and again.
// Without this file the same numbers stand in tables.

(() => {
  const drawn = new Map(); // the charts on the page, by their element
  const left = new Map(); // the labels that are not drawn, by the name of the chart
  const STEPS = { hour: [1, 2, 3, 6, 12, 24, 48, 72, 168], day: [1, 2, 7, 14, 28, 56, 91], month: [1, 2, 3, 6, 12, 24] };
  const WHOLE = [1, 2, 5].flatMap((one) => Array.from({ length: 16 }, (_, n) => one * 10 ** n)).sort((a, b) => a - b);
  const NANO = 1e9;

  // -- words

  function dollars(nano) {
    if (nano === 0) return "$0.00";
    if (Math.abs(nano) >= NANO / 100) {
      return `$${(Math.trunc(nano / (NANO / 100)) / 100).toLocaleString("en-US", { minimumFractionDigits: 2 })}`;
    }
    const step = 10 ** Math.max(0, String(Math.trunc(nano)).length - 2);
    return `$${((Math.trunc(nano / step) * step) / NANO).toFixed(9).replace(/0+$/, "")}`;
  }

  function written(kind, value) {
    if (value === null || value === undefined) return "–";
    if (kind === "money") return dollars(value);
    if (kind === "time") return value < 10000 ? `${value.toLocaleString("en-US")} ms` : `${(value / 1000).toFixed(1)} s`;
    return value.toLocaleString("en-US");
  }

  function short(kind, value) {
    if (kind === "money") {
      const amount = value / NANO;
      if (amount >= 1000) return `$${compact(amount)}`;
      if (amount >= 0.01 || amount === 0) return `$${Number.isInteger(amount) ? amount : amount.toFixed(2)}`;
      return `$${amount.toFixed(9).replace(/0+$/, "")}`;
    }
    if (kind === "time") return value < 1000 ? `${value} ms` : `${value / 1000} s`;
    return compact(value);
  }

  function compact(value) {
    for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (value >= size) return `${Math.round((value / size) * 100) / 100}${letter}`;
    }
    return String(value);
  }

  // -- what is drawn

  function colours(figure) {
    const probe = document.createElement("i");
    figure.append(probe);
    const resolve = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    const found = {
      series: Array.from({ length: 9 }, (_, n) => resolve(`chart-${n}`)),
      page: resolve("bg"),
      text: resolve("text-muted"),
      strong: resolve("text"),
      line: resolve("n-4"),
      band: resolve("n-4"),
    };
    probe.remove();
    return found;
  }

  function shownOf(figure, data) {
    const without = left.get(figure.dataset.chart) || new Set();
    return data.series.filter((one) => !without.has(one.label));
  }

  // The time before is known of everything together, so it stands beside everything together only.
  function comparesOf(data, shown) {
    return data.previous !== null && shown.length === data.series.length;
  }

  // Each stack reaches from nothing to where its own ends: drawn from the highest down, each covers what is beneath.
  // Where there is nothing, nothing is drawn, not even an edge.
  function stacked(series, count) {
    const sums = new Array(count).fill(0);
    return series.map((one) => one.values.map((value, n) => (sums[n] += value || 0) || null)).reverse();
  }

  function columns(data, shown) {
    const count = data.names.length;
    const places = Array.from({ length: count }, (_, n) => n);
    const values = data.stacked ? stacked(shown, count) : shown.map((one) => one.values);
    return [places, ...values, ...(comparesOf(data, shown) ? [data.previous] : [])];
  }

  function series(data, shown, paint, width) {
    const wide = width / data.names.length > 8;
    const bars = uPlot.paths.bars({ size: [0.78, 56] });
    const drawnSeries = (data.stacked ? [...shown].reverse() : shown).map((one) => {
      const colour = paint.series[one.colour];
      if (data.stacked) {
        return { fill: colour, stroke: paint.page, width: wide ? 1 : 0, paths: bars, points: { show: false } };
      }
      return { stroke: colour, width: 2, spanGaps: false, points: { size: 5, fill: colour, width: 0 } };
    });
    const before = { stroke: paint.strong, width: 1.5, dash: [4, 3], points: { show: false } };
    return [{}, ...drawnSeries, ...(comparesOf(data, shown) ? [before] : [])];
  }

  function marks(data, width) {
    const room = Math.max(1, Math.floor(width / (data.unit === "hour" ? 56 : 60)));
    const count = data.names.length;
    const step = STEPS[data.unit].find((one) => count / one <= room) || Math.ceil(count / room);
    const fits = (n) => {
      if (data.unit === "day" || (data.unit === "hour" && step > 24)) return (count - 1 - n) % step === 0;
      return data.places[n] % step === 0;
    };
    return Array.from({ length: count }, (_, n) => n).filter(fits);
  }

  // What is not over yet is hatched: the whole of its bar, or the ground behind a line.
  function hatch(plot, { data, shown, paint }) {
    if (data.running === null) return;
    const ratio = devicePixelRatio || 1;
    const { ctx, bbox } = plot;
    const column = bbox.width / data.names.length;
    const width = data.stacked ? Math.min(column * 0.78, 56 * ratio) : column;
    const centre = plot.valToPos(data.running, "x", true);
    const floor = plot.valToPos(0, "y", true);
    const heights = plot.data.slice(1, shown.length + 1).map((values) => values[data.running] || 0);
    const top = data.stacked ? plot.valToPos(Math.max(0, ...heights), "y", true) : bbox.top;
    ctx.save();
    ctx.beginPath();
    ctx.rect(centre - width / 2, top, width, floor - top);
    ctx.clip();
    ctx.strokeStyle = data.stacked ? paint.page : paint.band;
    ctx.lineWidth = 2 * ratio;
    ctx.setLineDash([]);
    ctx.beginPath();
    for (let x = centre - width / 2 - (floor - top); x < centre + width / 2; x += 6 * ratio) {
      ctx.moveTo(x, floor);
      ctx.lineTo(x + (floor - top), top);
    }
    ctx.stroke();
    ctx.restore();
  }

  // -- what is pointed at

  const SVG = "http://www.w3.org/2000/svg";

  function markOf(colour) {
    const mark = document.createElementNS(SVG, "svg");
    mark.setAttribute("viewBox", "0 0 10 10");
    mark.setAttribute("class", `mark c${colour}`);
    const box = document.createElementNS(SVG, "rect");
    box.setAttribute("width", "10");
    box.setAttribute("height", "10");
    mark.append(box);
    return mark;
  }

  function line(list, name, value, colour, kind) {
    const mark = colour === null ? document.createElement("span") : markOf(colour);
    const term = document.createElement("dt");
    term.textContent = name;
    const number = document.createElement("dd");
    number.textContent = value;
    if (kind) term.className = number.className = kind;
    list.append(mark, term, number);
  }

  function tell(tip, data, shown, at) {
    const title = document.createElement("strong");
    title.textContent = data.names[at] + (at === data.running ? ", so far" : "");
    const list = document.createElement("dl");
    for (const one of shown) {
      if (one.values[at]) line(list, one.label, written(data.kind, one.values[at]), one.colour);
    }
    const all = shown.length === data.series.length;
    if (all) line(list, data.totalWord, written(data.kind, data.total[at]), null, "sum");
    else if (data.stacked) {
      const sum = shown.reduce((whole, one) => whole + (one.values[at] || 0), 0);
      line(list, "Of these", written(data.kind, sum), null, "sum");
    }
    if (comparesOf(data, shown)) line(list, data.previousWord, written(data.kind, data.previous[at]), null, "muted");
    tip.replaceChildren(title, list);
  }

  function point(chart, plot) {
    const { data, shown, tip, box } = chart;
    const at = plot.cursor.idx;
    const out = at === null || at === undefined || plot.cursor.left < 0;
    tip.hidden = out;
    if (out) return;
    if (chart.at !== at) tell(tip, data, shown, at);
    chart.at = at;
    const x = plot.over.offsetLeft + plot.valToPos(at, "x");
    const fits = x + 16 + tip.offsetWidth <= box.clientWidth;
    tip.style.left = `${Math.max(0, fits ? x + 16 : x - 16 - tip.offsetWidth)}px`;
  }

  function closer(chart, first, last) {
    const { figure, data } = chart;
    if (!figure.dataset.zoom) return;
    const url = new URL(figure.dataset.zoom, location.href);
    url.searchParams.set("from", data.from[first]);
    url.searchParams.set("to", data.to[last]);
    location.assign(url);
  }

  function brushed(chart, plot) {
    const { left: start, width } = plot.select;
    if (width < 8) return;
    const most = chart.data.names.length - 1;
    const clamp = (value) => Math.min(most, Math.max(0, Math.round(value)));
    closer(chart, clamp(plot.posToVal(start, "x")), clamp(plot.posToVal(start + width, "x")));
  }

  // -- a chart

  function options(chart, width, height) {
    const { data, shown, paint } = chart;
    const font = `12px ${getComputedStyle(chart.box).fontFamily}`;
    const count = data.names.length;
    const axis = { font, stroke: paint.text, ticks: { show: false } };
    return {
      width,
      height,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: Boolean(chart.figure.dataset.zoom), y: false, setScale: false } },
      scales: {
        x: { time: false, range: () => [-0.5, count - 0.5] },
        y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.08 : data.kind === "money" ? NANO : 10] },
      },
      axes: [
        {
          ...axis,
          size: 28,
          grid: { show: false },
          splits: (plot) => marks(data, plot.bbox.width / (devicePixelRatio || 1)),
          values: (_plot, places) => places.map((n) => data.ticks[n]),
        },
        {
          ...axis,
          size: (_plot, texts) => 16 + 7 * Math.max(4, ...(texts || []).map((text) => text.length)),
          grid: { stroke: paint.line, width: 1 },
          incrs: WHOLE,
          space: 40,
          values: (_plot, values) => values.map((value) => short(data.kind, value)),
        },
      ],
      series: series(data, shown, paint, width),
      hooks: {
        drawClear: [(plot) => data.stacked || hatch(plot, chart)],
        draw: [(plot) => data.stacked && hatch(plot, chart)],
        setCursor: [(plot) => point(chart, plot)],
        setSelect: [(plot) => brushed(chart, plot)],
      },
    };
  }

  function draw(figure) {
    drop(figure);
    const box = figure.querySelector(".chart-box");
    const source = document.getElementById(figure.dataset.chart);
    if (!box || !source || !window.uPlot) return;
    const data = JSON.parse(source.textContent);
    const chart = { figure, box, data, shown: shownOf(figure, data), paint: colours(figure), at: null };
    chart.tip = document.createElement("div");
    chart.tip.className = "chart-tip";
    chart.tip.hidden = true;
    box.replaceChildren(chart.tip);
    chart.plot = new uPlot(options(chart, box.clientWidth, box.clientHeight), columns(data, chart.shown), box);
    chart.watch = new ResizeObserver(() => {
      const { width, height } = chart.plot;
      if (width === box.clientWidth && height === box.clientHeight) return;
      chart.plot.setSize({ width: box.clientWidth, height: box.clientHeight });
    });
    chart.watch.observe(box);
    drawn.set(figure, chart);
    for (const button of figure.querySelectorAll("[data-series]")) {
      const label = data.series[button.dataset.series]?.label;
      button.setAttribute("aria-pressed", String(chart.shown.some((one) => one.label === label)));
    }
  }

  function drop(figure) {
    const chart = drawn.get(figure);
    if (!chart) return;
    chart.watch.disconnect();
    chart.plot.destroy();
    drawn.delete(figure);
  }

  function drawAll(again) {
    for (const figure of [...drawn.keys()]) if (!figure.isConnected) drop(figure);
    for (const figure of document.querySelectorAll("[data-chart]")) {
      if (again || !drawn.has(figure)) draw(figure);
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-series]");
    const chart = button && drawn.get(button.closest("[data-chart]"));
    if (!chart) return;
    const name = chart.figure.dataset.chart;
    const without = left.get(name) || new Set();
    const { label } = chart.data.series[button.dataset.series];
    if (!without.delete(label)) without.add(label);
    if (chart.data.series.every((one) => without.has(one.label))) without.clear();
    left.set(name, without);
    draw(chart.figure);
  });

  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.(".chart-box");
    const chart = box && drawn.get(box.closest("[data-chart]"));
    if (!chart) return;
    const last = chart.data.names.length - 1;
    const at = chart.tip.hidden ? null : chart.at;
    const moves = { ArrowLeft: at === null ? last : at - 1, ArrowRight: at === null ? 0 : at + 1, Home: 0, End: last };
    if (event.key === "Enter" && at !== null) closer(chart, at, at);
    else if (event.key === "Escape") chart.plot.setCursor({ left: -10, top: -10 });
    else if (event.key in moves) {
      const to = Math.min(last, Math.max(0, moves[event.key]));
      chart.tip.setAttribute("role", "status"); // read out to who moves by key, and to nobody else
      chart.plot.setCursor({ left: chart.plot.valToPos(to, "x"), top: 10 });
    } else return;
    event.preventDefault();
  });

  new MutationObserver(() => drawAll(true)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));

  // -- what is fetched again and again

  const open = new Map(); // of each table that was open where it was scrolled to

  function isBusy(part) {
    const pointed = matchMedia("(hover: hover)").matches && part.querySelector(".chart-box:hover");
    return document.hidden || pointed || part.contains(document.activeElement);
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.target;
    if (part?.id === "live" && isBusy(part)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    if (target?.id !== "live") return;
    if (new URL(xhr.responseURL, location.href).pathname !== location.pathname) {
      event.detail.shouldSwap = false; // somebody signed out: the page itself says so
      location.reload();
      return;
    }
    open.clear();
    for (const table of target.querySelectorAll("details[open]")) {
      const { scrollTop, scrollLeft } = table.querySelector(".records");
      open.set(table.id, { scrollTop, scrollLeft });
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "live") return;
    for (const [id, place] of open) {
      const table = document.getElementById(id);
      if (!table) continue;
      table.open = true;
      Object.assign(table.querySelector(".records"), place);
    }
    drawAll(false);
  });

  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(name, (event) => {
      const note = event.detail.elt?.id === "live-again" && document.querySelector("[data-as-of]");
      if (note && !note.dataset.late) {
        note.dataset.late = "yes";
        note.append(" The gateway did not answer just now; it is asked again.");
      }
    });
  }

  document.addEventListener("visibilitychange", () => {
    const again = document.getElementById("live-again");
    if (!document.hidden && again && window.htmx) htmx.trigger(again, "awake");
  });

  // -- forms: what is empty stays out of the address, and the zone of this device is offered first

  document.addEventListener("formdata", (event) => {
    if (!event.target.matches("[data-tidy]")) return;
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });

  function offerZone() {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const choice of document.querySelectorAll("select[data-zone]")) {
      const known = choice.querySelector(`option[value="${CSS.escape(here)}"]`);
      if (!known || choice.dataset.zone === here || choice.dataset.offered) continue;
      choice.dataset.offered = "yes";
      choice.options[0].after(new Option(`${here.replaceAll("_", " ")}, this device`, here));
    }
  }

  function begin() {
    drawAll(false);
    offerZone();
  }

  document.addEventListener("htmx:load", begin);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
