// Numbers and times as people read them: significant digits, thousands apart, UTC.

const NOTHING = "–";

// So many significant digits, thousands apart; small numbers keep theirs.
export function significant(value, digits = 5) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value !== 0 && Math.abs(value) < 1e-6) return minus(value.toExponential(digits - 1));
  return minus(value.toLocaleString("en-US", { maximumSignificantDigits: digits, minimumSignificantDigits: Math.min(digits, 3) }));
}

function minus(text) {
  return text.replace(/^-/, "−");
}

// A price with all of its digits.
export function price(value) {
  if (value === null || value === undefined) return NOTHING;
  return value.toLocaleString("en-US", { maximumSignificantDigits: 12 });
}

export function signed(value, decimals = 2) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const text = Math.abs(value).toFixed(decimals);
  return (value < 0 ? "−" : "+") + text;
}

export function percent(share) {
  if (!Number.isFinite(share)) return NOTHING;
  return `${(100 * share).toFixed(1)} %`;
}

// A p-value or a q-value.
export function probability(value) {
  if (value === null || value === undefined) return NOTHING;
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

export function duration(seconds) {
  const rest = Math.max(0, Math.round(seconds));
  const at = UNITS.findIndex(([, length]) => rest >= length);
  if (at < 0) return "0 s";
  const [unit, length] = UNITS[at];
  const first = `${Math.floor(rest / length)} ${unit}`;
  const next = UNITS[at + 1];
  const second = next ? Math.floor((rest % length) / next[1]) : 0;
  return second ? `${first} ${second} ${next[0]}` : first;
}

export function moment(seconds) {
  return new Date(1000 * seconds).toISOString().replace(".000Z", "").replace("T", " ");
}

export function clock(seconds) {
  return moment(seconds).slice(11, 19);
}

// As many as the step has, so that 0.025 is not read as 0.03.
function decimalsOf(step) {
  let decimals = 0;
  while (decimals < 9 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6 * step * 10 ** decimals) decimals += 1;
  return decimals;
}

// The marks of an axis of time that are `step` seconds apart: midnights by their date.
export function timeMarks(marks, step) {
  return marks.map((mark) => {
    const text = moment(mark);
    if (mark % 86400 === 0) return text.slice(5, 10);
    return text.slice(11, step < 60 ? 19 : 16);
  });
}

// The marks of an axis, with as many decimals as its steps have.
export function axisMarks(marks, step) {
  if (marks.some((mark) => mark !== null && Math.abs(mark) >= 1e9) || step < 1e-7) {
    return marks.map((mark) => (mark === null ? "" : mark === 0 ? "0" : mark.toExponential(2)));
  }
  const decimals = decimalsOf(step);
  const format = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return marks.map((mark) => (mark === null ? "" : minus(mark.toLocaleString("en-US", format))));
}
