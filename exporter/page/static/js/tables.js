// The alert history, the newest screen, and the numbers over the charts.

import { addressOf } from "./address.js";
import { clock, duration, moment, percent, price, probability, signed, significant } from "./format.js";

const byId = (id) => document.getElementById(id);

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(heads, rows) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const [text, title] of heads) {
    const cell = element("th", text);
    if (title) cell.title = title;
    head.append(cell);
  }
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const cell of cells) {
      const place = row.insertCell();
      if (cell instanceof Node) place.append(cell);
      else place.textContent = cell;
    }
  }
  return made;
}

// `answer` is null where there is no number to show.
export function showTiles(answer, points) {
  const latest = answer?.latest;
  const z = latest?.zscore ?? null;
  const beyond = z !== null && Math.abs(z) >= answer.threshold;
  const tiles = [
    ["z", signed(z, 2), beyond ? "big beyond" : "big"],
    ["spread", significant(latest?.spread, 6)],
    ["from its mean", z === null ? "–" : `${significant(latest.deviation, 4)}`],
    ["β", significant(latest?.beta, 5)],
    ["correlation", signed(latest?.correlation, 3)],
    ["of returns", signed(latest?.return_correlation, 3)],
    ...testTiles(answer?.tested),
    [answer?.a ?? "A", price(latest?.price_a)],
    [answer?.b ?? "B", price(latest?.price_b)],
    [answer ? `beyond ±${answer.threshold}` : "beyond", points ? percent(points.shareBeyond()) : "–", "", "Share of the bars shown whose |z| is at or beyond the threshold"],
  ];
  byId("tiles").replaceChildren(...tiles.map(([name, value, className, title]) => {
    const tile = element("div", undefined, className);
    if (title) tile.title = title;
    tile.append(element("dt", name), element("dd", value));
    return tile;
  }));
}

// Of the slow statistics, where the lake has them in the time shown.
function testTiles(tested) {
  if (!tested) return [];
  const when = `tested at ${moment(tested.time)} UTC`;
  const none = "none: the spread overshoots its mean, or does not come back to it";
  const life = tested.half_life === null ? ["none", `${none}; ${when}`] : [significant(tested.half_life, 3), `bars in which half of a deviation is gone; ${when}`];
  return [
    ["half-life, bars", life[0], "", life[1]],
    ["ADF p", probability(tested.adf_pvalue), "", `augmented Dickey–Fuller on the spread; ${when}`],
  ];
}

export function spanInWords({ start, end, step, length, bars, prices, kept }) {
  if (!bars) return "";
  const each = step === length ? "a point a bar" : `a point ${duration(step)}: the last, and in the shade the least and greatest of ${step / length} bars`;
  return `${moment(start)} to ${moment(end)} UTC, ${bars.toLocaleString("en-US")} bars, ${each}; ${prices} prices, ${kept ? "as the lake keeps them" : "computed now"}`;
}

// Whether what is shown is of now; else of when it is.
export function freshness({ end, newest, now, length, latest, state }, drawn) {
  const age = now - end;
  const lacking = state && state.state !== "ready" ? state.message : null;
  if (!drawn && lacking) return { text: lacking, live: false };
  if (end < newest) return { text: `as of ${moment(end)}, zoomed into the past`, live: false };
  if (age > length + 15) return { text: `as of ${moment(end)}, ${duration(age)} ago`, live: false };
  if (!latest) return { text: lacking ?? `no row of the newest bar, ${clock(end - length)}`, live: false };
  return { text: `live, bar of ${clock(end - length)}`, live: true };
}

export function showRules({ rules, threshold, kept }) {
  const own = rules.map((one) => `${one.rule} at |z| > ${one.threshold}`);
  byId("rules").textContent = own.length
    ? `Watched by ${own.join(", ")}. The threshold ${threshold} above only draws.`
    : `No rule watches this series${kept ? "" : ", which is computed as you look at it"}. The threshold ${threshold} above only draws.`;
}

export function showAlerts(alerts, { end, length, most_alerts: most }) {
  const place = byId("alerts");
  if (!alerts.length) {
    place.replaceChildren(element("p", "No alert in the time shown.", "quiet"));
    return;
  }
  const rows = alerts.slice(0, 100).map((one) => {
    const over = one.closed_at !== null;
    const took = duration((over ? one.closed_at : end - length) - one.opened_at);
    return [
      moment(one.opened_at),
      one.opened_zscore > 0 ? "short" : "long",
      signed(one.opened_zscore, 2),
      signed(one.peak_zscore, 2),
      over ? took : element("span", `open, ${took}`, "beyond"),
    ];
  });
  const heads = [["opened (UTC)"], ["side", "Of the spread A − β·B: sold where z is above, bought where it is below"], ["z"], ["peak"], ["lasted"]];
  place.replaceChildren(table(heads, rows));
  const more = alerts.length - rows.length;
  if (more > 0) place.append(element("p", `and ${more.toLocaleString("en-US")} older in the time shown${alerts.length >= most ? `; before ${moment(alerts[alerts.length - 1].opened_at)} there may be others, which are not marked` : ""}`, "quiet"));
}

export function showScreens(screens) {
  const place = byId("screen");
  if (!screens.length) {
    place.replaceChildren(element("p", "No screen of this lake yet. With [screen] enabled = true in spreadlake.toml every pair is tested each minute, and the best stand here.", "quiet"));
    return;
  }
  place.replaceChildren(...screens.flatMap(screen));
}

function screen(one) {
  const age = one.now - one.close;
  const when = age > 300 ? `as of ${moment(one.close)}, ${duration(age)} ago` : `at ${clock(one.close)}`;
  const what = element("p", `${one.pairs.toLocaleString("en-US")} pairs of ${one.symbols} symbols, ${one.timeframe} bars, lookback ${one.lookback}: ${one.cointegrated} cointegrated, ${when}`, age > 300 ? "quiet old" : "quiet");
  const rows = one.ranking.map((pair) => {
    const link = element("a", `${pair.symbol_a}/${pair.symbol_b}`);
    link.href = addressOf({ a: pair.symbol_a, b: pair.symbol_b, timeframe: one.timeframe, window: one.window, lookback: one.lookback, threshold: 2, prices: "log" });
    return [link, signed(pair.zscore, 2), probability(pair.qvalue), significant(pair.half_life, 3), pair.edge_bps === null ? "–" : signed(pair.edge_bps, 1)];
  });
  const heads = [["pair"], ["z"], ["q", "q-value of the cointegration test, over all pairs tested"], ["half-life", "in bars"], ["edge, bps", "What a way back to the mean leaves after costs"]];
  const shown = element("div", undefined, "table");
  shown.append(table(heads, rows));
  return [what, shown];
}
