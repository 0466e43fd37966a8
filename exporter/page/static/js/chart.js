// One chart: a uPlot with the page's axes, the same cursor in all of them, and a line to read off.

import { axisMarks, moment, timeMarks } from "./format.js";
import { colour } from "./theme.js";

const SYNC = uPlot.sync("pair");
const LEFT = 62;
const UTC = (seconds) => uPlot.tzDate(new Date(1000 * seconds), "Etc/UTC");
const PUBLISHED = new Set(["mousemove", "mouseleave"]); // and not what selects: each chart by itself

export class Chart {
  // lines: [{name, label, colour, width, dash, scale, format, envelope}] in the order drawn
  constructor(figure, { title, height, lines, bands = [], fills = [], right = false, padRight = 8, limits = {}, paint, mark, moves, least }) {
    this.lines = lines;
    figure.replaceChildren(caption(title, lines), document.createElement("div"));
    this.when = figure.querySelector(".when");
    this.readouts = [...figure.querySelectorAll(".key output")];
    this.host = figure.lastElementChild;
    this.height = height;
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1, size: 4 }, font: "11px system-ui, sans-serif" };
    const vertical = (scale, side) => ({
      ...axis, scale, side, size: LEFT,
      grid: side === 3 ? axis.grid : { show: false },
      values: (_, marks, __, ___, step) => (this.hasNumbers(scale) ? axisMarks(marks, step) : marks.map(() => "")),
    });
    const scales = { x: { time: true, range: (_, low, high) => this.span || [low, high] } };
    for (const scale of new Set(lines.map((line) => line.scale || "y"))) {
      scales[scale] = { range: (_, low, high) => padded(low, high, limits, least) };
    }
    this.plot = new uPlot({
      width: this.width(), height, tzDate: UTC, ms: 1e-3,
      padding: [6, right ? 0 : padRight, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC.key, scales: ["x", null], filters: { pub: (type) => PUBLISHED.has(type) } },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
        y: false,
        bind: { mousedown: (plot, _, handler) => (event) => (event.shiftKey ? moves.begin(plot, event) : handler(event)), dblclick: () => () => { moves.newest(); return null; } },
      },
      scales,
      axes: [{ ...axis, size: 28, space: 70, values: (_, marks, __, ___, step) => timeMarks(marks, step) }, vertical(lines[0].scale || "y", 3), ...(right ? [vertical(lines[1].scale, 1)] : [])],
      series: [{}, ...lines.map(series)],
      bands: [...bands, ...fills],
      hooks: {
        drawClear: paint ? [paint] : [],
        draw: mark ? [mark] : [],
        setCursor: [() => this.read()],
        setSelect: [(plot) => select(plot, moves)],
      },
    }, [[], ...lines.map(() => [])], this.host);
    this.plot.over.addEventListener("wheel", (event) => moves.wheel(this.plot, event), { passive: false });
  }

  width() {
    return Math.max(200, Math.floor(this.host.clientWidth));
  }

  // `old` says that the last point is not of the newest bar: the caption says then of when it is.
  show(data, span, old) {
    this.span = span;
    this.old = old;
    this.data = data;
    this.plot.setData(data);
    this.read();
  }

  // While a pair warms up there are prices alone: the other charts have no numbers to mark.
  hasNumbers(scale) {
    return this.lines.some((line, index) => (line.scale || "y") === scale && this.data?.[index + 1].some((value) => value !== null));
  }

  resize() {
    this.plot.setSize({ width: this.width(), height: this.height });
  }

  // The numbers under the cursor, or the newest.
  read() {
    if (!this.data) return;
    const under = this.plot.cursor.idx ?? -1;
    const at = under < 0 ? this.data[0].length - 1 : under;
    this.when.value = at >= 0 && (under >= 0 || this.old) ? `at ${moment(this.data[0][at])}` : "";
    let which = 0;
    this.lines.forEach((line, index) => {
      if (line.label) this.readouts[which++].value = at < 0 ? "–" : this.text(line, index, at);
    });
  }

  text(line, index, at) {
    const value = line.format(this.data[index + 1][at]);
    if (!line.between) return value;
    const [low, high] = line.between.map((name) => this.data[1 + this.lines.findIndex((one) => one.name === name)][at]);
    return low === null || low === high ? value : `${value}  (${line.format(low)} … ${line.format(high)})`;
  }

  destroy() {
    this.plot.destroy();
  }
}

function caption(title, lines) {
  const line = document.createElement("figcaption");
  const name = document.createElement("strong");
  name.textContent = title;
  line.append(name);
  for (const one of lines.filter((each) => each.label)) {
    const item = document.createElement("span");
    item.className = `key ${one.colour}`;
    item.textContent = `${one.label} `;
    item.append(document.createElement("output"));
    line.append(item);
  }
  const when = document.createElement("output");
  when.className = "when quiet";
  line.append(when);
  return line;
}

function series(line) {
  return {
    scale: line.scale || "y",
    stroke: line.hidden ? "transparent" : colour(line.colour),
    width: line.hidden ? 0 : line.width || 1.25,
    dash: line.dash,
    points: line.hidden || line.dash ? { show: false } : { size: 4 },
  };
}

function padded(low, high, { least, most }, flat = 1e-9) {
  if (low === null || high === null) return [0, 1];
  const room = Math.max(high - low, flat, Math.abs(high) * 1e-9) * 0.08;
  return [Math.max(low - room, least ?? -Infinity), Math.min(high + room, most ?? Infinity)];
}

function select(plot, moves) {
  const { left, width } = plot.select;
  if (width < 6) return;
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  moves.zoomTo(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
}
