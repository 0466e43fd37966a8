// The page: what is chosen stands in the address, is asked of the exporter, and drawn; then the
// exporter is asked once a second for what is new.

import { addressOf, asked, readAddress, usualRange, writeAddress } from "./address.js";
import { Refused, ask } from "./api.js";
import { Charts } from "./charts.js";
import { duration, moment } from "./format.js";
import { Moves } from "./moves.js";
import { Points } from "./points.js";
import { freshness, showAlerts, showRules, showScreens, showTiles } from "./tables.js";
import { onThemeChange } from "./theme.js";

const POLL = 800; // ms between two questions
const AGAIN = 2000; // after a refusal
const SCREENS = 20000;
const RELOAD = 5; // s at least between two looks at the whole span, where bars of the past change
const MOST_POINTS = 2400;
const RANGES = { s: ["15m", "1h", "4h", "24h"], m: ["4h", "24h", "7d", "30d"], h: ["7d", "30d", "90d", "365d"] };

const byId = (id) => document.getElementById(id);
const form = byId("settings");

let chosen = readAddress();
let shown = null; // {answer, points, alerts, loaded}
let timer = null;
let question = null;

const moves = new Moves(() => shown?.answer, change);
const charts = new Charts(moves);

function change(what, asNew = true) {
  chosen = { ...chosen, ...what };
  writeAddress(chosen, asNew);
  fill();
  load();
}

// The fields say what is chosen, whatever it is worth.
function fill() {
  for (const field of form.elements) {
    if (field.name && field !== document.activeElement) field.value = chosen[field.name] ?? "";
  }
  const range = byId("range");
  if (range !== document.activeElement) range.value = chosen.from ? "" : chosen.range ?? "";
  const unit = (chosen.timeframe || "1s").slice(-1);
  byId("range-buttons").replaceChildren(...(RANGES[unit] || RANGES.s).map(rangeButton), viewButton(), spreadButton());
  byId("pair-title").textContent = chosen.a && chosen.b ? `${chosen.a} / ${chosen.b}` : "";
  document.title = chosen.a && chosen.b ? `${chosen.a}/${chosen.b} ${chosen.timeframe} · spreadlake` : "spreadlake";
}

function button(text, title, pressed, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.title = title;
  made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", act);
  return made;
}

function rangeButton(range) {
  return button(range, `The newest ${range}`, !chosen.from && chosen.range === range, () => change({ range, from: undefined, to: undefined }));
}

function viewButton() {
  const axes = chosen.view === "axes";
  return button("2 axes", "Prices on an axis each, instead of in percent", axes, () => redraw({ view: axes ? undefined : "axes" }));
}

function spreadButton() {
  const raw = chosen.spread === "raw";
  return button("A − β·B", "The spread as it is, instead of less its mean", raw, () => redraw({ spread: raw ? undefined : "raw" }));
}

// Another way to draw the same numbers.
function redraw(how) {
  chosen = { ...chosen, ...how };
  writeAddress(chosen, false);
  fill();
  draw(true);
}

function refuse(message, waits = false) {
  const place = byId("message");
  place.classList.toggle("waits", waits);
  place.textContent = message;
  place.hidden = !message;
}

// A wrong input shows a sentence, and no number.
function showNothing({ message, waits }) {
  shown = null;
  byId("csv").removeAttribute("href");
  charts.clear();
  showTiles(null, null);
  byId("state").textContent = "";
  byId("span").textContent = "";
  byId("rules").textContent = "";
  byId("alerts").replaceChildren();
  byId("freshness").textContent = "";
  refuse(message, waits);
}

async function load() {
  clearTimeout(timer);
  question?.abort();
  question = new AbortController();
  document.body.classList.add("loading");
  try {
    if (!chosen.a || !chosen.b) await begin(question.signal);
    const answer = await ask(`api/pair${asked(chosen, { points: pointsWanted() })}`, question.signal);
    shown = { answer, points: new Points(answer), alerts: answer.alerts, loaded: performance.now() };
    complete(answer);
    refuse("");
    byId("csv").href = `pair.csv${asked(chosen)}`;
    draw(true);
    later(pause(answer), poll);
  } catch (error) {
    failed(error, true);
  } finally {
    document.body.classList.remove("loading");
  }
}

function pointsWanted() {
  return Math.min(1000, Math.max(200, byId("charts").clientWidth));
}

// What the address leaves open: the pair that is watched, or the first two symbols.
async function begin(signal) {
  const lake = await ask("api/lake", signal);
  options("symbols", lake.symbols);
  options("timeframes", lake.timeframes);
  if (!lake.first) throw Object.assign(new Refused(noBars(lake)), { waits: true });
  const { a, b, timeframe, window, lookback, threshold } = lake.first;
  const first = { a, b, timeframe, window: String(window), lookback: String(lookback), threshold: String(threshold) };
  chosen = { ...first, range: chosen.from ? undefined : usualRange(chosen.timeframe || timeframe), ...chosen };
  writeAddress(chosen, false);
  fill();
}

// What was left open is what the exporter took: so a view that is sent stays what it is.
function complete({ timeframe, window, lookback, threshold }) {
  const taken = { timeframe, window: String(window), lookback: String(lookback), threshold: String(threshold) };
  const open = Object.keys(taken).some((name) => chosen[name] === undefined);
  if (!open) return;
  chosen = { ...taken, ...chosen };
  writeAddress(chosen, false);
  fill();
}

function noBars({ symbols }) {
  return symbols.length
    ? `the lake has bars of ${symbols[0]} alone so far; a pair needs two`
    : "the lake has no bars yet: they come within seconds once spreadlake captures trades into it";
}

function options(id, names) {
  byId(id).replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name })));
}

// What is past does not change, unless trades come late: it is looked at less often.
function pause(answer) {
  return answer.end < answer.newest ? 5 * POLL : POLL;
}

async function poll() {
  if (document.hidden) return;
  question = new AbortController();
  const { answer, points } = shown;
  const more = { step: answer.step, newest: answer.newest };
  if (points.last !== null) more.since = points.last;
  else delete more.newest;
  try {
    const news = await ask(`api/pair${asked(chosen, more)}`, question.signal);
    if (news.past !== answer.past && performance.now() - shown.loaded > 1000 * RELOAD) return void load();
    take(news);
    later(pause(news), poll);
  } catch (error) {
    failed(error, false);
  }
}

function take(news) {
  const { answer, points, alerts } = shown;
  points.take(news);
  if (points.time.length > MOST_POINTS) return void load();
  const ids = new Set(news.alerts.map((one) => one.id));
  const kept = alerts.filter((one) => !ids.has(one.id) && (one.closed_at === null || one.closed_at >= news.start));
  const fresh = news.alerts.length > 0 || kept.length !== alerts.length;
  shown.alerts = [...news.alerts, ...kept].sort((one, other) => other.opened_at - one.opened_at);
  shown.answer = {
    ...news,
    past: answer.past,
    state: news.state ?? answer.state,
    latest: news.latest ?? answer.latest,
  };
  refuse("");
  draw(false, fresh || news.newest !== answer.newest);
}

function failed(error, whole) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Refused)) throw error;
  if (whole) showNothing(error);
  else stale(error.message);
  later(AGAIN, whole ? load : poll);
}

// What is shown stays, and does not pass for what is now.
function stale(message) {
  refuse(message);
  byId("freshness").textContent = `as of ${moment(shown.answer.end)}, no answer since`;
  document.body.classList.add("old");
}

function later(delay, act) {
  clearTimeout(timer);
  timer = setTimeout(act, delay);
}

function draw(anew, changed = true) {
  if (!shown) return;
  const { answer, points, alerts } = shown;
  if (changed) {
    if (anew || !charts.built) charts.build(answer, chosen);
    charts.show(points, answer, alerts);
    showTiles(answer, points);
    showAlerts(alerts, answer);
    showRules(answer);
    byId("span").textContent = spanInWords(answer);
  }
  const { text, live } = freshness(answer);
  byId("freshness").textContent = text;
  document.body.classList.toggle("old", !live);
  const state = byId("state");
  state.textContent = answer.state?.message ?? "";
  state.className = answer.state?.state ?? "";
}

function spanInWords({ start, end, step, length, bars, prices, kept }) {
  if (!bars) return "";
  const each = step === length ? "a point a bar" : `a point ${duration(step)}: the last, and in the shade the least and greatest of ${step / length} bars`;
  return `${moment(start)} to ${moment(end)} UTC, ${bars.toLocaleString("en-US")} bars, ${each}; ${prices} prices, ${kept ? "as the lake keeps them" : "computed now"}`;
}

async function screens() {
  if (!document.hidden) {
    try {
      showScreens(await ask("api/screen"));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  setTimeout(screens, SCREENS);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  document.activeElement?.blur();
  submit();
});
form.addEventListener("change", submit);

function submit() {
  const fields = Object.fromEntries(new FormData(form));
  for (const leg of ["a", "b"]) fields[leg] = fields[leg].trim().toUpperCase();
  const other = fields.timeframe !== chosen.timeframe && !chosen.from;
  const changed = Object.keys(fields).some((name) => fields[name] !== (chosen[name] ?? ""));
  if (changed) change({ ...fields, ...(other ? { range: usualRange(fields.timeframe) } : {}) });
}

byId("swap").addEventListener("click", () => change({ a: chosen.b, b: chosen.a }));
byId("range").addEventListener("change", (event) => change({ range: event.target.value.trim(), from: undefined, to: undefined }));
for (const [id, act] of [["earlier", () => moves.by(-0.5)], ["later", () => moves.by(0.5)], ["zoom-in", () => moves.zoom(0.5)], ["zoom-out", () => moves.zoom(2)], ["live", () => moves.newest()]]) {
  byId(id).addEventListener("click", act);
}
addEventListener("popstate", () => {
  chosen = readAddress();
  fill();
  load();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && shown) later(0, poll);
});
onThemeChange(() => draw(true));

fill();
showTiles(null, null);
load();
if (chosen.a && chosen.b) {
  ask("api/lake").then((lake) => {
    options("symbols", lake.symbols);
    options("timeframes", lake.timeframes);
  }).catch(() => {});
}
screens();
