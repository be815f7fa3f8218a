// The device's shadows: what is desired, to be changed here, beside what it reports, and what differs.

import { $, busy, element, list, mark, say } from "./dom.js";
import * as json from "./json.js";
import { orUnknown } from "./words.js";

let context = null;
let names = [""];
let name = "";
let shadow = null; // as the server has it
let isNewer = false; // than what the fields show, while somebody types

export function begin(given) {
  context = given;
  $("shadow-name").addEventListener("change", ({ target }) => {
    name = target.value;
    forget();
    fetchIt();
  });
  $("desired").addEventListener("input", () => {
    judge("");
    context.redraw();
  });
  $("shadow-undo").addEventListener("click", takeIt);
  $("shadow-again").addEventListener("click", () => {
    takeIt();
    $("desired").focus();
  });
  $("shadow-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("shadow-save"), $("shadow-problem"), save);
  });
}

export function clear() {
  names = [""];
  name = "";
  forget();
}

function forget() {
  shadow = null;
  isNewer = false;
  $("desired").value = "";
  say($("reported"), "");
  judge("");
}

const isTyped = () => Boolean(shadow) && $("desired").value !== json.pretty(shadow.desired);

function judge(problem) {
  say($("shadow-problem"), problem);
  mark($("desired"), "aria-invalid", problem ? "true" : null);
}

export function load(found) {
  names = found.shadows;
  list($("shadow-name"), names, (it) => it, (it) => new Option(it || "classic", it));
  $("shadow-name").value = name;
  fetchIt();
}

export function changed(change) {
  const fresh = change.shadow?.[context.name];
  if (!fresh) return;
  if (fresh.some((it) => !names.includes(it))) load({ shadows: [...new Set([...names, ...fresh])] });
  else if (fresh.includes(name)) fetchIt();
}

async function fetchIt() {
  const [device, wanted] = [context.name, name];
  let found;
  try {
    found = await context.ask(`/shadow?name=${encodeURIComponent(wanted)}`);
  } catch (error) {
    if (device !== context.name || wanted !== name) return;
    judge(error.message);
    return;
  }
  if (device !== context.name || wanted !== name) return;
  const wasTyped = isTyped();
  const isOther = JSON.stringify(found.desired) !== JSON.stringify(shadow?.desired);
  shadow = found;
  if (!wasTyped) takeIt();
  else if (isOther) isNewer = true;
  context.redraw();
}

/** The field shows what the server has. */
function takeIt() {
  isNewer = false;
  if (isTyped()) $("desired").value = json.pretty(shadow.desired); // else whoever is there keeps the caret
  judge("");
  context.redraw();
}

async function save() {
  let desired;
  try {
    desired = json.object($("desired").value);
  } catch (error) {
    judge(error.message);
    $("desired").focus();
    return;
  }
  const [device, wanted] = [context.name, name];
  try {
    const saved = await context.ask(`/shadow?name=${encodeURIComponent(wanted)}`, "PUT", { desired, version: shadow?.version ?? null });
    if (device !== context.name || wanted !== name) return;
    shadow = saved;
    takeIt();
    context.tell("Desired. What the device makes of it shows under Reported.");
  } catch (error) {
    if (error.status === 409) {
      await fetchIt();
      isNewer = true;
      context.redraw();
      return;
    }
    judge(error.message);
    $("desired").focus();
  }
}

export function draw() {
  $("shadow-changed").hidden = !isNewer;
  $("shadow-undo").disabled = !isTyped();
  if (!shadow) return;
  say($("shadow-version"), shadow.version === null ? "" : `version ${shadow.version}`);
  say($("reported"), json.pretty(shadow.reported));
  const rows = json.leaves(shadow.delta ?? {}).filter(([path]) => path);
  $("delta").hidden = rows.length === 0;
  say($("no-delta"), rows.length ? "" : nothing());
  list($("delta-rows"), rows, ([path]) => path, ([path]) => element("tr", "", element("th", "", path), element("td"), element("td")), (row, [path]) => {
    row.children[0].scope = "row";
    say(row.children[1], JSON.stringify(json.leaf(shadow.desired, path)) ?? orUnknown(null));
    say(row.children[2], JSON.stringify(json.leaf(shadow.reported, path)) ?? orUnknown(null));
  });
}

function nothing() {
  if (shadow.version === null) return "There is no such shadow as yet. Desire something, for example {\"led\": true}, and there is one.";
  return "Nothing: the device reports all that is desired.";
}
