// The device's certificates, and how it gets another one.

import { $, busy, dress, element, list, say, sure } from "./dom.js";
import * as words from "./words.js";

let context = null;
let certificates = null;
const replaced = new Set(); // jobs that are known to have done it

export function begin(given) {
  context = given;
  $("rotate").addEventListener("click", () => busy($("rotate"), $("certificate-problem"), rotate));
}

async function rotate() {
  if (!(await sure("Replace the certificate? The device restarts for that.", "Replace it"))) return;
  await context.ask("/jobs", "POST", { document: { action: "rotate-certificate" } });
  context.tell("The device is asked to replace its certificate; the job below shows how far it is.");
}

export function clear() {
  certificates = null;
  $("certificate-list").replaceChildren();
  say($("certificate-problem"), "");
}

export function load(found) {
  certificates = found.certificates;
  for (const { job, status } of found.jobs) if (status === "SUCCEEDED") replaced.add(job);
}

/** Once it has been replaced there is another to be shown. */
export function changed(change) {
  for (const job of change.jobs?.[context.name] ?? []) {
    if (job.document?.action !== "rotate-certificate" || job.status !== "SUCCEEDED" || replaced.has(job.job)) continue;
    replaced.add(job.job);
    context.reload();
  }
}

export function draw(now) {
  $("no-certificates").hidden = certificates?.length !== 0;
  list($("certificate-list"), certificates ?? [], (it) => it.id, make, (item, it) => {
    const [head, about] = item.children;
    say(head.lastChild, it.status.toLowerCase());
    dress(head.lastChild, `state is-${it.status.toLowerCase()}`);
    say(about, it.end === null ? "its end is not known" : `ends ${words.end(it.end, now)}`);
    dress(about, words.endsSoon(it.end, now) ? "soon" : "quiet");
  });
}

function make(it) {
  const name = element("code", "", `${it.id.slice(0, 12)}…`);
  name.title = it.id;
  return element("li", "", element("div", "heading", name, element("span", "state")), element("p"));
}
