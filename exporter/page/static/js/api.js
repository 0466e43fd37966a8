// Asks the exporter that served the page, and nobody else.

// An answer that is a sentence: what is wrong, and how it may be.
export class Refused extends Error {}

export async function ask(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { signal, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("the exporter does not answer; is it running?");
  }
  const body = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    if (answer.ok) throw new Refused("the exporter's answer ended early");
    return {};
  });
  if (!answer.ok) throw new Refused(body.error || `the exporter answered ${answer.status}`);
  return body;
}

// Why there is no pair to begin with.
export function noBars({ symbols }) {
  return symbols.length
    ? `the lake has bars of ${symbols[0]} alone so far; a pair needs two`
    : "the lake has no bars yet: they come within seconds once spreadlake captures trades into it";
}
