// When the exporter is asked again, in ms. What takes long to answer, such as a series that is
// computed, leaves it three times as long alone.

const POLL = 800; // between two questions
const OF_PAST = 5 * POLL;
const RELOAD = 5000; // between two looks at the whole span, where bars of the past change

export const AGAIN = 2000; // after a refusal
export const SCREENS = 20000;

// What is past does not change, unless trades come late: it is looked at less often.
export function pause({ end, newest }, took = 0) {
  return Math.max(end < newest ? OF_PAST : POLL, 3 * took);
}

export function untilReload(took) {
  return Math.max(RELOAD, 3 * took);
}
