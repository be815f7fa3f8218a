// One device: what is known of it, what it can do at once, and the panels below, each in a module of its own.

import { ask, at } from "./api.js";
import * as certificate from "./certificate.js";
import { $, busy, dress, element, say, sure } from "./dom.js";
import { isDrained, isUpdating, presence } from "./fleet.js";
import * as commands from "./commands.js";
import * as jobs from "./jobs.js";
import * as log from "./log.js";
import * as modes from "./modes.js";
import * as plots from "./plots.js";
import * as shadow from "./shadow.js";
import * as update from "./update.js";
import * as words from "./words.js";
import * as world from "./world.js";

const PANELS = [plots, modes, shadow, log, jobs, commands, update, certificate, world];
const FACTS = [
  ["Mode", (it) => words.orUnknown(it.mode)],
  ["Signal", (it) => words.signal(it.rssi).text],
  ["Version", (it) => words.orUnknown(it.version)],
  ["Last message", (it, now) => words.ago(it.last_message, now)],
  ["Free memory", (it) => (it.heap_free === null ? words.bytes(null) : `${words.exactly(it.heap_free)} bytes`)],
  ["Certificate ends", (it, now) => words.end(it.certificate_end, now)],
  ["Crash-free", (it) => words.hours(it.crash_free_h)],
];

let known = null;
let redraw = () => {};
let tell = () => {};
let name = null;
let visit = 0; // which of the device pages this is: an answer to an earlier one is dropped

/** What the panels work with: the device's name, what is known, and how to ask and to tell. */
const context = {
  get name() { return name; },
  get known() { return known; },
  get summary() { return known.devices.get(name); },
  redraw: () => redraw(),
  reload: () => load(),
  tell: (text) => tell(text),
  ask: (path, method, body, signal) => ask(at(name, path), method, body, signal),
};

export function begin(request) {
  redraw = request;
  for (const [title] of FACTS) $("facts").append(element("div", "", element("dt", "", title), element("dd")));
  for (const panel of PANELS) panel.begin?.(context);
  const problem = $("actions-problem");
  const led = (on) => () => context.ask("/commands", "POST", { name: "led", payload: { on } }).then(() => tell(`The LED is asked to go ${on ? "on" : "off"}.`));
  $("led-on").addEventListener("click", () => busy($("led-on"), problem, led(true)));
  $("led-off").addEventListener("click", () => busy($("led-off"), problem, led(false)));
  $("restart").addEventListener("click", () => busy($("restart"), problem, restart));
}

async function restart() {
  if (!(await sure(`Restart ${name}? It is back in some seconds.`, "Restart"))) return;
  await context.ask("/jobs", "POST", { document: { action: "reboot" } });
  tell("The restart is a job now; the device does it as soon as it hears of it.");
}

/** Shows a device: what is known at once; the rest is asked for once the stream has begun, so that nothing is missed. */
export function show(given, all, say_) {
  [name, known, tell] = [given, all, say_];
  say($("device-title"), name);
  for (const panel of PANELS) panel.clear?.();
  say($("actions-problem"), "");
  $("device-note").hidden = true;
  hide(false);
}

export function leave() {
  visit++;
  for (const panel of PANELS) panel.clear?.();
  name = null;
}

/** Of a device that there is not, there is nothing to be seen. */
function hide(is) {
  for (const part of document.querySelectorAll("#presence, #actions, #facts, .board")) part.hidden = is;
}

/** Asks for all there is: at first, and after a connection that was lost; what is typed stays. */
export async function load() {
  const mine = ++visit;
  const note = $("device-note");
  try {
    const found = await context.ask("");
    if (mine !== visit) return;
    note.hidden = true;
    hide(false);
    known.devices.set(name, found.summary);
    for (const panel of PANELS) panel.load?.(found);
  } catch (error) {
    if (mine !== visit) return;
    say(note, error.status === 404 ? `There is no device of this name: ${name}. It may have been deleted, or have another name now.` : error.message);
    note.hidden = false;
    hide(error.status === 404);
  }
  redraw();
}

/** Whether it is there, since when, and if not, why; while it is updated it comes and goes. */
function presenceInFull(it, now) {
  const since = it.since && !isUpdating(it.update) ? ` for ${words.lasting(now - it.since)}` : "";
  return `${presence(it)}${since}${since && !it.connected && it.why ? `: ${it.why}` : ""}`;
}

/** Something has come from the server. */
export function changed(change) {
  for (const panel of PANELS) panel.changed?.(change);
}

export function draw() {
  const it = known.devices.get(name);
  const now = known.now();
  const isReadOnly = !known.writable;
  for (const button of document.querySelectorAll("#actions button, #job-form .primary, #command-form .primary, #shadow-save, #update-form .primary, #rotate, #log-ask")) button.disabled = isReadOnly;
  if (it) {
    $("device").classList.toggle("is-log-alone", isDrained(it));
    dress($("presence"), `badge is-${presence(it).toLowerCase()}`);
    say($("presence-text"), presenceInFull(it, now));
    for (const [at, [, text]] of FACTS.entries()) say($("facts").children[at].lastChild, text(it, now));
  }
  for (const panel of PANELS) panel.draw?.(now);
}
