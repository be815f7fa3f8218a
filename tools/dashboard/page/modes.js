// Which mode the device was in, over the same time as the plots.

import { $, element, list, say } from "./dom.js";
import { span } from "./plots.js";
import * as words from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const KNOWN = ["INIT", "CONFIG", "NORMAL", "OTA", "IDLE", "OFF"];
const MOST = 500; // changes that are kept
const LISTED = 50;
const UNITS = 1000; // of the picture's width

let context = null;
let modes = []; // [ms, mode]
let shownAs = "";

export function begin(given) {
  context = given;
}

export function clear() {
  modes = [];
  shownAs = "";
  $("modes").replaceChildren();
  $("modes-list").replaceChildren();
}

export function load(found) {
  modes = found.modes.slice(-MOST);
  span.begins = modes[0]?.[0] ?? null;
}

export function changed(change) {
  for (const [ms, mode] of change.modes?.[context.name] ?? []) {
    if (ms >= (modes.at(-1)?.[0] ?? 0)) modes.push([ms, mode]);
  }
  if (modes.length > MOST) modes = modes.slice(-MOST);
}

export function draw(now) {
  const [from, to] = span.at(now);
  const parts = within(from, to, now);
  const known = [...new Set(parts.map(([, , mode]) => mode))];
  const text = parts.length
    ? `${known.map((mode) => `${mode} ${words.lasting(total(parts, mode))}`).join(", ")}; now ${words.orUnknown(modes.at(-1)?.[1])}`
    : "No mode is known in this time. A simulated device tells it; a board with REPORTS, too.";
  say($("modes-text"), text);
  const as = parts.map(([start, end, mode]) => `${mode} ${x(start, from, to)} ${x(end, from, to)}`).join();
  if (as !== shownAs) picture(parts, from, to);
  shownAs = as;
  if ($("modes-all").open) drawList(now);
}

/** The parts of that time: [from, to, mode]. */
function within(from, to, now) {
  const parts = modes.map(([start, mode], at) => [start, modes[at + 1]?.[0] ?? now, mode]);
  return parts
    .filter(([start, end, mode]) => mode && end > from && start < to)
    .map(([start, end, mode]) => [Math.max(start, from), Math.min(end, to), mode]);
}

function total(parts, mode) {
  return parts.filter((part) => part[2] === mode).reduce((sum, [start, end]) => sum + end - start, 0);
}

const x = (ms, from, to) => Math.round((UNITS * (ms - from)) / (to - from));

function picture(parts, from, to) {
  const box = document.createElementNS(SVG, "svg");
  box.setAttribute("viewBox", `0 0 ${UNITS} 24`);
  box.setAttribute("preserveAspectRatio", "none");
  for (const [start, end, mode] of parts) {
    const bar = document.createElementNS(SVG, "rect");
    const left = x(start, from, to);
    bar.setAttribute("x", left);
    bar.setAttribute("width", Math.max(3, x(end, from, to) - left));
    bar.setAttribute("height", 24);
    bar.setAttribute("class", kind(mode));
    box.append(bar);
  }
  const names = [...new Set(parts.map(([, , mode]) => mode))];
  const legend = element("span", "legend", ...names.map((mode) => element("span", kind(mode), mode)));
  $("modes").replaceChildren(box, legend);
}

function kind(mode) {
  return `mode-${KNOWN.includes(mode) ? mode.toLowerCase() : "other"}`;
}

function drawList(now) {
  const latest = modes.map(([ms, mode], at) => [ms, mode, at]).slice(-LISTED).reverse();
  list($("modes-list"), latest, ([, , at]) => at, () => element("li"), (line, [ms, mode, at]) => {
    const end = modes[at + 1]?.[0] ?? now;
    say(line, `${words.moment(ms, now)}  ${words.orUnknown(mode)} for ${words.lasting(end - ms)}`);
  });
}
