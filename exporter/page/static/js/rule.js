// The line that makes an alert of the threshold over the charts: to paste, for the page only reads.

import { asked } from "./address.js";
import { Refused, ask } from "./api.js";

const place = document.getElementById("rule");
const links = document.getElementById("dashboards");
let question = null;

export async function showRule(chosen) {
  question?.abort();
  question = new AbortController();
  const { signal } = question;
  try {
    const answer = await ask(`api/rule${asked(chosen)}`, signal);
    if (signal.aborted) return;
    fill(answer, chosen.threshold);
    lead(answer.dashboards);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refused)) throw error;
    if (!signal.aborted) place.replaceChildren();
  }
}

export function forgetRule() {
  question?.abort();
  place.replaceChildren();
  links.replaceChildren();
}

function fill({ refused, commands }, threshold) {
  if (refused) {
    place.replaceChildren(text("No rule can watch this as it is: ", refused, "."));
    return;
  }
  if (!commands.length) { // what watches it has this threshold already
    place.replaceChildren();
    return;
  }
  const which = commands.length > 1 ? ", one line for each rule" : "";
  place.replaceChildren(
    text(`To be alerted at ${threshold} for this pair, paste this where spreadlake was started${which}:`),
    ...commands.flatMap(pasted),
  );
  if (location.hash === "#rule") place.scrollIntoView({ block: "nearest" });
}

// To Grafana, where it is known, each with what is chosen here.
function lead(dashboards) {
  links.replaceChildren(...dashboards.flatMap(([title, address]) => {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = title;
    return [" · ", link];
  }));
  if (dashboards.length) links.prepend("In Grafana");
}

function text(...parts) {
  const made = document.createElement("p");
  made.className = "quiet";
  made.append(...parts);
  return made;
}

function pasted(command) {
  const line = document.createElement("code");
  line.textContent = command;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(line, button));
  const row = document.createElement("div");
  row.className = "command";
  row.append(line, button);
  return [row];
}

// Where the browser lets nobody copy (a page that is not of this machine), the line is selected.
async function copy(line, button) {
  try {
    await navigator.clipboard.writeText(line.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(line);
    button.textContent = "Selected";
  }
}
