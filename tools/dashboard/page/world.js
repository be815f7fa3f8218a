// What the simulated world does to devices: Wi-Fi, time servers, power, pins and sensors, a second phone.

import { ask } from "./api.js";
import { $, busy, dress, element, list, say } from "./dom.js";
import { value } from "./words.js";

const SENT_MS = 200; // a slider that is drawn tells where it is, but not at each step
/** [part of the name, least, most, step, unit] */
const RANGES = [
  ["temperature", -40, 125, 0.5, "°C"],
  ["humidity", 0, 100, 1, "%"],
  ["ds18b20", -55, 125, 0.5, "°C"],
  ["adc", 0, 3.6, 0.01, "V"],
  ["touch", 0, 65535, 1, ""],
];

let context = null;
let known = null;
let world = null;
let isAsked = false;
const waits = new Map(); // sliders that are being drawn: what is to be sent

export function begin(given) {
  context = given;
  wire();
}

/** Once the server has said whether this is a simulation, and again after a connection that was lost. */
export function open(all) {
  known = all;
  $("air").hidden = $("world").hidden = !known.simulation;
  if (known.simulation) fetchIt();
}

function wire() {
  const switches = { wifi: (on) => ({ wifi: on }), ntp: (on) => ({ ntp: on ? "right" : "silent" }) };
  for (const [what, body] of Object.entries(switches)) {
    for (const [place, problem] of [["air", "air-problem"], ["world", "world-problem"]]) {
      const box = $(`${place}-${what}`);
      box.addEventListener("change", async () => {
        await busy(box, $(problem), async () => {
          world = await ask("world", "POST", body(box.checked));
        });
        take(world); // also where it was refused
      });
    }
  }
  for (const [id, power] of [["cut", "cut"], ["cut-at-write", "cut-at-write"], ["power-on", "on"]]) {
    $(id).addEventListener("click", () => busy($(id), $("world-problem"), async () => {
      await act({ power });
      if (power === "cut-at-write") context.tell("Its power goes at its next write to flash.");
    }));
  }
  $("wire-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("wire-form").querySelector("button"), $("world-problem"), connect);
  });
  $("phone").addEventListener("click", () => busy($("phone"), $("world-problem"), callByPhone));
}

async function connect() {
  const [name, typed] = [$("wire-name").value.trim(), $("wire-value").value.trim()];
  const level = Number(typed);
  if (!name || !typed || !Number.isFinite(level)) {
    $(name ? "wire-value" : "wire-name").focus();
    throw new Error("Type what is wired, as adc.34 or pin.0, and a number; docs/simulator.md has all names.");
  }
  await act({ set: { [name]: level } });
  $("wire-name").value = $("wire-value").value = "";
}

/** What has been done shows by itself: the stream has the world, too. */
function act(body) {
  return ask(`world/${encodeURIComponent(context.name)}`, "POST", body);
}

async function callByPhone() {
  const told = $("phone-told");
  told.hidden = false;
  say(told, "The phone looks for the device …");
  try {
    const answer = await act({ phone: "connect" });
    say(told, typeof answer?.text === "string" ? answer.text : "It was not told anything.");
  } catch (error) {
    told.hidden = true;
    throw error;
  }
}

async function fetchIt() {
  if (isAsked) return;
  isAsked = true;
  try {
    take(await ask("world"));
  } catch (error) {
    say($("air-problem"), error.message);
  } finally {
    isAsked = false;
  }
}

export function clear() {
  waits.clear();
  $("sensors").replaceChildren();
  $("phone-told").hidden = true;
  say($("world-problem"), "");
}

/** Something has come from the server: this panel wants the world alone. */
export function changed({ world: fresh }) {
  if (fresh) take(fresh);
}

function take(fresh) {
  world = fresh;
  for (const place of ["air", "world"]) {
    $(`${place}-wifi`).checked = world.wifi;
    $(`${place}-ntp`).checked = world.ntp === "right";
  }
  context.redraw();
}

export function draw() {
  const it = world?.devices?.[context.name];
  const isThere = Boolean(known?.simulation && it);
  $("world").hidden = !isThere;
  if (!isThere) return;
  $("cut").disabled = $("cut-at-write").disabled = !it.powered;
  $("power-on").disabled = it.powered;
  say($("power"), it.powered ? "" : "It has no power.");
  list($("pins"), Object.entries(it.pins ?? {}), ([pin]) => pin, () => element("li"), (item, [pin, level]) => {
    say(item, `Pin ${pin} ${level ? "high" : "low"}`);
    dress(item, level ? "lamp lit" : "lamp");
  });
  const sensors = Object.entries(it.sensors ?? {}).filter(([, level]) => typeof level === "number");
  list($("sensors"), sensors, ([name]) => name, make, fill);
}

function make([name, level]) {
  const field = element("input");
  field.type = isPin(name) ? "checkbox" : "range";
  if (isPin(name)) field.setAttribute("role", "switch");
  else [field.min, field.max, field.step] = range(name, level);
  field.addEventListener("input", () => send(name, isPin(name) ? Number(field.checked) : Number(field.value)));
  const title = element("span", "", isPin(name) ? `Pin ${name.slice(4)}` : name);
  const label = element("label", isPin(name) ? "check" : "slider", ...(isPin(name) ? [field, title] : [title, field]));
  return element("li", "", label, element("output"));
}

function fill(item, [name, level]) {
  const field = item.querySelector("input");
  const shown = waits.get(name) ?? level;
  if (isPin(name)) field.checked = Boolean(shown);
  else if (Number(field.value) !== shown) field.value = shown;
  const text = isPin(name) ? (shown ? "high" : "low") : `${value(shown)} ${range(name, level)[3]}`.trim();
  say(item.querySelector("output"), text);
}

const isPin = (name) => name.startsWith("pin.");

function range(name, level) {
  const found = RANGES.find(([part]) => name.includes(part));
  return found ? found.slice(1) : [Math.min(0, 2 * level), Math.max(100, 2 * level), 1, ""];
}

/** The last place of a slider goes out, the ones on the way there at most five times a second. */
function send(name, level) {
  const isUnderWay = waits.has(name);
  waits.set(name, level);
  context.redraw();
  const device = context.name;
  if (!isUnderWay) setTimeout(() => sendNow(device, name), SENT_MS);
}

async function sendNow(device, name) {
  if (device !== context.name || !waits.has(name)) return; // another device's page is shown by now
  const level = waits.get(name);
  try {
    await act({ set: { [name]: level } });
    world.devices[device].sensors[name] = level; // until the stream says so, too
  } catch (error) {
    say($("world-problem"), error.message);
  }
  if (waits.get(name) === level) waits.delete(name);
  else setTimeout(() => sendNow(device, name), SENT_MS);
  context.redraw();
}
