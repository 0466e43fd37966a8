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
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(body.error || `the exporter answered ${answer.status}`);
  return body;
}
