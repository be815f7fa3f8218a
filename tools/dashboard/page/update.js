// An update: chosen, and followed from its job to its confirmation, or on its way back.

import { ask } from "./api.js";
import { $, busy, dress, element, list, mark, say } from "./dom.js";
import { isUpdating } from "./fleet.js";
import { exactly } from "./words.js";

const STEPS = [
  ["queued", "Made known to the device"],
  ["asking", "Manifest read, signatures judged"],
  ["fetching", "Bytes fetched and verified"],
  ["trial", "On trial: reaches the cloud, passes its own test"],
  ["confirmed", "Confirmed: this version counts from now on"],
];
const BACK = ["back", "Back: the version before runs again; this one is not tried any more"];
const FAILED = ["failed", "Not installed: the version before goes on"];

let context = null;
let releases = null;

export function begin(given) {
  context = given;
  $("update-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("update-form").querySelector(".primary"), $("update-problem"), start);
  });
}

async function start() {
  const { job } = await context.ask("/update", "POST", { release: $("release").value });
  context.tell(`Update job ${job} is created.`);
}

export function clear() {
  say($("update-problem"), "");
  $("update-now").hidden = true;
}

export async function load() {
  try {
    releases = await ask("releases");
    list($("release"), releases, (it) => it.release, (it) => new Option("", it.release), (option, it) => {
      say(option, it.kind === "app" ? it.version : `${it.version} (${it.kind})`);
    });
  } catch (error) {
    say($("update-problem"), error.message);
  }
  context.redraw();
}

export function draw() {
  $("update-form").hidden = !releases?.length;
  $("no-releases").hidden = releases?.length !== 0;
  const update = context.summary?.update;
  $("update-now").hidden = !update;
  if (!update) return;
  say($("update-version"), update.version ? `Version ${update.version}` : update.job);
  drawBytes(update);
  drawSteps(update);
  say($("update-reason"), update.reason ?? "");
  $("update-reason").hidden = !update.reason;
}

function drawBytes({ bytes, size, status }) {
  const isKnown = size > 0 && bytes !== null && bytes !== undefined;
  $("update-bar").hidden = !isKnown || !isUpdating({ status });
  $("update-bytes").hidden = !isKnown;
  if (!isKnown) return;
  $("update-bar").value = bytes / size;
  say($("update-bytes"), `${exactly(bytes)} of ${exactly(size)} bytes`);
}

/** Steps before the one that it is at are over; of one that has failed the last tells what became of it. */
function drawSteps({ step }) {
  const end = { back: BACK, failed: FAILED }[step];
  const shown = step === "back" ? [...STEPS.slice(0, -1), end] : end ? [STEPS[0], end] : STEPS;
  const reached = step === "confirmed" || end ? shown.length : STEPS.findIndex(([id]) => id === step);
  list($("update-steps"), shown, ([id]) => id, () => element("li"), (item, [id, text]) => {
    const at = shown.findIndex(([it]) => it === id);
    dress(item, id === "back" || id === "failed" ? id : at < reached ? "over" : at === reached ? "now" : "");
    say(item, text);
    mark(item, "aria-current", at === reached ? "step" : null);
  });
}
