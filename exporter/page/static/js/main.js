// The page: what is chosen stands in the address, is asked of the exporter, and drawn; then the
// exporter is asked once a second for what is new.

import { asked, leftOut, readAddress, usualRange, writeAddress } from "./address.js";
import { Refused, ask, noBars } from "./api.js";
import { Charts } from "./charts.js";
import { moment } from "./format.js";
import { Moves } from "./moves.js";
import { AGAIN, SCREENS, pause, untilReload } from "./pace.js";
import { Points } from "./points.js";
import { forgetRule, showRule } from "./rule.js";
import { freshness, showAlerts, showRules, showScreens, showTiles, spanInWords } from "./tables.js";
import { onThemeChange } from "./theme.js";

const MOST_POINTS = 2400;
const RANGES = { s: ["15m", "1h", "4h", "24h"], m: ["4h", "24h", "7d", "30d"], h: ["7d", "30d", "90d", "365d"] };

const byId = (id) => document.getElementById(id);
const form = byId("settings");

let chosen = readAddress();
let notice = leftOut(); // what is to be said beside the numbers
let shown = null; // {answer, points, alerts, loaded, took}
let timer = null;
let question = null; // the one that is open or was answered last: no other is drawn
let loading = false;

const moves = new Moves(() => shown?.answer, change);
const charts = new Charts(moves);

function change(what, asNew = true) {
  chosen = { ...chosen, ...what };
  notice = "";
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
  if (place.textContent !== message) place.textContent = message; // it is read aloud
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
  forgetRule();
  byId("alerts").replaceChildren();
  byId("freshness").textContent = "";
  refuse(message, waits);
}

// In place of the question that is open, whose answer is not taken any more.
function another() {
  clearTimeout(timer);
  question?.abort();
  question = new AbortController();
  return question.signal;
}

// The whole span; `again` is of the same, and leaves what is shown until its answer is there.
async function load(again = false) {
  const signal = another();
  loading = true;
  document.body.classList.toggle("loading", !again);
  const began = performance.now();
  try {
    if (!chosen.a || !chosen.b) await begin(signal);
    const answer = await ask(`api/pair${asked(chosen, { points: pointsWanted() })}`, signal);
    if (signal.aborted) return;
    const loaded = performance.now();
    shown = { answer, points: new Points(answer), alerts: answer.alerts, loaded, took: loaded - began };
    complete(answer);
    refuse(notice);
    byId("csv").href = `pair.csv${asked(chosen)}`;
    void showRule(chosen);
    draw(true);
    later(pause(answer), poll);
  } catch (error) {
    failed(error, !(again && shown), () => load(again));
  } finally {
    if (!signal.aborted) {
      loading = false;
      document.body.classList.remove("loading");
    }
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

function options(id, names) {
  byId(id).replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name })));
}

async function poll() {
  if (document.hidden || loading || !shown) return;
  const signal = another();
  const began = performance.now();
  const { answer, points } = shown;
  const more = { step: answer.step, newest: answer.newest };
  if (points.last !== null) more.since = points.last;
  else delete more.newest;
  try {
    const news = await ask(`api/pair${asked(chosen, more)}`, signal);
    if (signal.aborted) return;
    const now = performance.now();
    const changed = news.past !== answer.past && now - shown.loaded > untilReload(shown.took);
    if (changed || news.step !== answer.step) return void load(true);
    if (take(news)) later(pause(news, now - began), poll);
  } catch (error) {
    failed(error, false, poll);
  }
}

// Whether it is drawn: else the whole span is asked for anew.
function take(news) {
  const { answer, points, alerts } = shown;
  points.take(news);
  if (points.time.length > MOST_POINTS) {
    load(true);
    return false;
  }
  const ids = new Set(news.alerts.map((one) => one.id));
  const kept = alerts.filter((one) => !ids.has(one.id) && (one.closed_at === null || one.closed_at >= news.start));
  const fresh = news.alerts.length > 0 || kept.length !== alerts.length;
  shown.alerts = [...news.alerts, ...kept].sort((one, other) => other.opened_at - one.opened_at);
  shown.answer = {
    ...news,
    past: answer.past,
    state: news.state ?? answer.state,
    latest: news.newest === answer.newest ? answer.latest : news.latest,
  };
  refuse(notice);
  draw(false, fresh || news.newest !== answer.newest);
  return true;
}

function failed(error, whole, again) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Refused)) throw error;
  if (whole) showNothing(error);
  else stale(error.message);
  later(AGAIN, again);
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
  const any = points.last !== null;
  if (changed) {
    if (!any) charts.clear(); // and no axes of nothing
    else if (anew || !charts.built) charts.build(answer, chosen);
    if (any) charts.show(points, answer, alerts);
    showTiles(answer, points);
    showAlerts(alerts, answer);
    showRules(answer);
    byId("span").textContent = spanInWords(answer);
  }
  const { text, live } = freshness(answer, any);
  byId("freshness").textContent = text;
  document.body.classList.toggle("old", !live);
  const state = byId("state");
  state.textContent = answer.state?.message ?? "";
  state.className = answer.state?.state ?? "";
}

async function screens() {
  if (!document.hidden) {
    try {
      showScreens(await ask("api/screen"));
    } catch (error) {
      if (!(error instanceof Refused)) console.error(error);
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
  notice = leftOut();
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
