// What the device logs, as it comes.

import { $, busy, element, list, mark, say } from "./dom.js";
import { moment } from "./words.js";

const MOST = 500; // lines that are kept
const PAGE = 200;
const LEVELS = ["E", "W", "I", "D"];
const NAMES = { E: "error", W: "warning", I: "info", D: "debug" };
const ASKED_MIN = 10;

let context = null;
let lines = [];
let held = []; // what came while it was paused
let isPaused = false;
let isAll = true; // there is nothing older
let isOld = false; // older lines have taken the place of the newest
let isLoaded = false;
let isChanged = true;

export function begin(given) {
  context = given;
  $("log-level").addEventListener("change", () => {
    isChanged = true;
    context.redraw();
  });
  $("log-pause").addEventListener("click", () => pause(!isPaused));
  $("older").addEventListener("click", () => busy($("older"), $("log-problem"), older));
  $("log-ask").addEventListener("click", () => busy($("log-ask"), $("log-problem"), async () => {
    await context.ask("/jobs", "POST", { document: { action: "log", level: "info", minutes: ASKED_MIN } });
    context.tell("The device is asked for its log; the first lines come in some seconds.");
  }));
}

function pause(is) {
  isPaused = is;
  mark($("log-pause"), "aria-pressed", String(is));
  if (!is && isOld) {
    lines = [];
    load();
  } else if (!is) {
    add(held);
  }
  held = [];
  isChanged = true;
  context.redraw();
}

export function clear() {
  lines = [];
  held = [];
  isPaused = false;
  isAll = true;
  isOld = false;
  isLoaded = false;
  isChanged = true;
  mark($("log-pause"), "aria-pressed", "false");
  $("log-lines").replaceChildren();
  say($("log-problem"), "");
}

export async function load() {
  const { name } = context;
  try {
    const found = await context.ask(`/log?count=${PAGE}`);
    if (name !== context.name) return;
    const last = found.at(-1)?.id ?? 0;
    lines = [...found, ...lines.filter((line) => line.id > last)];
    isAll = found.length < PAGE;
    isLoaded = true;
    isOld = false;
  } catch (error) {
    say($("log-problem"), error.message);
  }
  isChanged = true;
  context.redraw();
}

async function older() {
  const first = lines[0]?.id;
  const found = await context.ask(`/log?before=${first}&count=${PAGE}`);
  isAll = found.length < PAGE;
  const { scrollHeight } = $("log-scroll");
  lines = [...found, ...lines].slice(0, MOST); // whoever reads what is old gets no new lines meanwhile
  isOld = true;
  if (!isPaused) pause(true);
  isChanged = true;
  draw();
  $("log-scroll").scrollTop += $("log-scroll").scrollHeight - scrollHeight;
}

export function changed(change) {
  const fresh = change.log?.[context.name];
  if (!fresh) return;
  if (isPaused) held = [...held, ...fresh].slice(-MOST);
  else add(fresh);
}

function add(fresh) {
  const last = lines.at(-1)?.id ?? 0;
  lines = [...lines, ...fresh.filter((line) => line.id > last)].slice(-MOST);
  isChanged = true;
}

export function draw() {
  say($("log-state"), isPaused ? `Paused; ${held.length === 1 ? "1 new line waits" : `${held.length} new lines wait`}.` : "");
  if (!isChanged) return;
  isChanged = false;
  const box = $("log-scroll");
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const least = LEVELS.indexOf($("log-level").value);
  const shown = lines.filter((line) => LEVELS.indexOf(level(line)) <= least);
  list($("log-lines"), shown, (line) => line.id, makeLine);
  $("older").hidden = isAll || lines.length >= MOST;
  $("no-log").hidden = lines.length > 0 || !isLoaded;
  box.hidden = lines.length === 0;
  if (lines.length && !shown.length) say($("log-state"), `None of ${lines.length} lines is of this level.`);
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}

function level(line) {
  const letter = String(line.level ?? "I")[0].toUpperCase();
  return LEVELS.includes(letter) ? letter : "I";
}

function makeLine(line) {
  const its = level(line);
  const mark_ = element("span", `level level-${its}`, its);
  mark_.title = NAMES[its];
  return element("li", "", element("time", "quiet", moment(line.time)), " ", mark_, " ", element("span", "area", line.area ?? ""), " ", element("span", "", line.text ?? ""));
}
