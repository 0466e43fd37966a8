// The four charts of a pair: prices, spread with its bands, z-score with threshold and alerts,
// correlation. Where a point stands for many bars, its least and greatest are the area behind.

import { Chart } from "./chart.js";
import { paintAlerts, paintLevels } from "./marks.js";
import { price, signed, significant } from "./format.js";
import { colour } from "./theme.js";

const ENVELOPE = ["min", "max"];
const byId = (id) => document.getElementById(id);

// A line, and two that are not seen: between them is its envelope.
function enveloped(name, options) {
  const hidden = ENVELOPE.map((which) => ({ ...options, label: undefined, name: `${name}_${which}`, hidden: true }));
  return [{ ...options, name, between: ENVELOPE.map((which) => `${name}_${which}`) }, ...hidden];
}

// Fills between the hidden lines of each envelope.
function areas(lines, ofLine = (line) => line.colour) {
  return lines.flatMap((line, index) =>
    line.between ? [{ series: [index + 3, index + 2], fill: `color-mix(in srgb, ${colour(ofLine(line))} 28%, transparent)` }] : []);
}

export class Charts {
  constructor(moves) {
    this.moves = moves;
    this.all = [];
    new ResizeObserver(() => this.all.forEach((chart) => chart.resize())).observe(byId("prices"));
  }

  // Anew, for another pair or way to draw it; `how` is {view, spread} of the address.
  build(answer, how) {
    this.clear();
    this.answer = answer;
    this.how = how;
    const axes = how.view === "axes";
    const common = { moves: this.moves, padRight: axes ? 62 : 8 };
    this.prices = this.add("prices", { ...common, ...pricesChart(answer, axes), height: 190 });
    this.spread = this.add("spread", { ...common, ...this.spreadChart(), height: 180 });
    this.zscore = this.add("zscore", { ...common, ...this.zscoreChart(), height: 210 });
    this.correlation = this.add("correlation", { ...common, ...correlationChart(), height: 140 });
  }

  add(id, options) {
    const chart = new Chart(byId(id), options);
    this.all.push(chart);
    return chart;
  }

  clear() {
    this.all.forEach((chart) => chart.destroy());
    this.all = [];
    for (const id of ["prices", "spread", "zscore", "correlation"]) byId(id).replaceChildren();
    this.prices = null;
  }

  get built() {
    return this.prices !== null && this.all.length > 0;
  }

  // Draws the points; `answer` is the newest, `alerts` are those of the series.
  show(points, answer, alerts) {
    this.answer = answer;
    this.alerts = alerts;
    const span = [answer.start, Math.max(answer.end, answer.start + answer.step)];
    this.prices.show(this.how.view === "axes" ? drawn(points, this.prices) : relative(drawn(points, this.prices)), span, !answer.latest);
    this.spread.show(this.withBands(points), span, !answer.latest);
    this.zscore.show(drawn(points, this.zscore), span, !answer.latest);
    this.correlation.show(drawn(points, this.correlation), span, !answer.latest);
  }

  spreadChart() {
    const less = this.how.spread !== "raw";
    const line = { colour: "spread", format: (value) => significant(value, 6) };
    const lines = [
      ...enveloped(less ? "deviation" : "spread", { ...line, label: less ? "spread − mean" : "A − β·B" }),
      { name: "mean", label: "mean", colour: "quiet", dash: [4, 3], width: 1, format: line.format },
      { name: "upper", label: "upper", colour: "quiet", width: 0.8, format: line.format },
      { name: "lower", label: "lower", colour: "quiet", width: 0.8, format: line.format },
    ];
    const band = { series: [5, 6], fill: `color-mix(in srgb, ${colour("quiet")} 12%, transparent)` };
    const title = `Spread, mean ± ${this.answer.threshold} σ`;
    return { title, lines, fills: areas(lines), bands: [band], least: 1e-12 };
  }

  withBands(points) {
    const less = this.how.spread !== "raw";
    const name = less ? "deviation" : "spread";
    const [time, last, low, high, mean, std] = points.aligned([name, `${name}_min`, `${name}_max`, "spread_mean", "spread_std"]);
    const centre = less ? mean.map((value) => (value === null ? null : 0)) : mean;
    const band = (sign) => centre.map((value, at) => (value === null || std[at] === null ? null : value + sign * this.answer.threshold * std[at]));
    return [time, last, ...(points.columns[`${name}_min`] ? [low, high] : [empty(time), empty(time)]), centre, band(1), band(-1)];
  }

  zscoreChart() {
    const lines = enveloped("zscore", { label: "z", colour: "zscore", format: (value) => signed(value, 2), width: this.answer.step > this.answer.length ? 0.75 : 1.25 });
    const threshold = this.answer.threshold;
    return {
      title: `z-score, ${this.answer.window} bars`,
      lines,
      fills: areas(lines),
      least: 0.2,
      paint: (plot) => paintAlerts(plot, this.alerts || [], this.answer),
      mark: (plot) => paintLevels(plot, [[0, "quiet"], [threshold, "beyond"], [-threshold, "beyond"]], this.alerts || []),
    };
  }
}

function drawn(points, chart) {
  return points.aligned(chart.lines.map((line) => line.name));
}

function empty(time) {
  return time.map(() => null);
}

function pricesChart({ a, b }, axes) {
  const format = axes ? price : (value) => (value === null ? "–" : `${signed(value, 3)} %`);
  const lines = [
    ...enveloped("price_a", { label: a, colour: "leg-a", format, scale: axes ? "a" : "y" }),
    ...enveloped("price_b", { label: b, colour: "leg-b", format, scale: axes ? "b" : "y" }),
  ];
  const order = axes ? [lines[0], lines[3], lines[1], lines[2], lines[4], lines[5]] : lines;
  const title = axes ? "Prices, an axis each" : "Prices, % since the left edge";
  // With an axis each the two lines come first: the second axis is of the second line.
  const fills = axes
    ? [[4, 3, "leg-a"], [6, 5, "leg-b"]].map(([high, low, name]) => ({ series: [high, low], fill: `color-mix(in srgb, ${colour(name)} 28%, transparent)` }))
    : areas(lines);
  return { title, lines: order, fills, right: axes };
}

// In percent of each leg's first price that is shown.
function relative([time, ...columns]) {
  const bases = [columns[0], columns[3]].map((column) => column.find((value) => value !== null));
  return [time, ...columns.map((column, index) => {
    const base = bases[index < 3 ? 0 : 1];
    return column.map((value) => (value === null ? null : 100 * (value / base - 1)));
  })];
}

function correlationChart() {
  const lines = enveloped("correlation", { label: "", colour: "correlation", format: (value) => signed(value, 3) });
  lines[0].label = "of closes";
  return { title: "Correlation", lines, fills: areas(lines), limits: { least: -1.02, most: 1.02 }, least: 0.02 };
}
