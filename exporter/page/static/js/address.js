// What is chosen, as it stands in the address: a view can be sent, and Back goes back.

const NAMES = ["a", "b", "timeframe", "window", "lookback", "threshold", "prices", "range", "from", "to", "view", "spread"];
const ASKED = NAMES.slice(0, -2);

export function readAddress() {
  const given = new URLSearchParams(location.search);
  const chosen = {};
  for (const name of NAMES) {
    const value = given.get(name);
    if (value !== null && value !== "") chosen[name] = value;
  }
  return chosen;
}

// A sentence about what stands in the address and is none of these; empty where all is known.
export function leftOut() {
  const names = [...new Set(new URLSearchParams(location.search).keys())].filter((name) => !NAMES.includes(name));
  if (!names.length) return "";
  const told = names.slice(0, 5).map((name) => `“${name.slice(0, 40)}”`).join(", ");
  return `The address has ${told}, which the page does not take and leaves out; it takes ${NAMES.join(", ")}.`;
}

export function addressOf(chosen, names = NAMES) {
  const query = new URLSearchParams();
  for (const name of names) {
    if (chosen[name] !== undefined && chosen[name] !== "") query.set(name, chosen[name]);
  }
  // Both may stand in a query as they are, and are easier to read so.
  return `?${query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/")}`;
}

export function writeAddress(chosen, asNew) {
  const address = addressOf(chosen);
  if (address === location.search) return;
  if (asNew) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

// What the exporter is asked: how it is drawn does not matter to it.
export function asked(chosen, more = {}) {
  return addressOf({ ...chosen, ...more }, [...ASKED, ...Object.keys(more)]);
}

// A range that is worth looking at, for bars of this length.
export function usualRange(timeframe) {
  if (/s$/.test(timeframe)) return "15m";
  return /m$/.test(timeframe) ? "24h" : "30d";
}
