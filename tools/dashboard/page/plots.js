// Telemetry: a plot for each field that has numbers, all over the same time.

import { Chart, isThere } from "./chart.js";
import { $, element, list, mark, say } from "./dom.js";
import { Points } from "./points.js";
import { SPANS, Span } from "./span.js";
import * as words from "./words.js";

const SHOWN = 6; // fields that are drawn without being asked for
const POINTS = 600; // of a series: a plot has hardly more pixels
const QUIET_MS = 150; // between two moves, after which the server is asked
const STEPS = 300; // pixels of a plot's width, or so
const ROWS = 50; // of the table
const REPORTED = "metrics."; // what the fields of Device Defender's reports begin with
const KEYS = {
  ArrowLeft: () => span.move(-1, context.known.now()),
  ArrowRight: () => span.move(1, context.known.now()),
  "+": () => span.zoom(0.5, context.known.now()),
  "=": () => span.zoom(0.5, context.known.now()),
  "-": () => span.zoom(2, context.known.now()),
  0: () => span.reset(),
};

let context = null;
let points = new Points();
let fields = [];
let chosen = new Set();
let isLoaded = false;
let pausedAt = null;
let wait = 0;
let isFresh = true; // there is something new to draw
let drawnAt = 0;
let asked = null; // the request under way
const charts = new Map();
/** Which time is shown; the modes are shown over the same. */
export const span = new Span();

export function begin(given) {
  context = given;
  const buttons = { earlier: "ArrowLeft", later: "ArrowRight", closer: "+", wider: "-", now: "0" };
  for (const [id, key] of Object.entries(buttons)) $(id).addEventListener("click", () => press(key));
  $("plots").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    press(event.key);
  });
  $("pause").addEventListener("click", () => pause(pausedAt === null));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of charts.values()) chart.drop();
    isFresh = true;
    if (context.name) draw(context.known.now()); // at once: an empty plot is seen
  });
}

function press(key) {
  if (pausedAt !== null) pause(false);
  KEYS[key]();
  look();
}

function pause(is) {
  pausedAt = is ? context.known.now() : null;
  mark($("pause"), "aria-pressed", String(is));
  if (!is) look();
  context.redraw();
}

export function clear() {
  asked?.abort();
  clearTimeout(wait);
  points = new Points();
  fields = [];
  chosen = new Set();
  isLoaded = false;
  pausedAt = null;
  mark($("pause"), "aria-pressed", "false");
  span.reset();
  span.begins = null;
  for (const chart of charts.values()) chart.drop();
  charts.clear();
  $("plots").replaceChildren();
  $("field-list").replaceChildren();
  $("values-rows").replaceChildren();
  say($("plots-problem"), "");
}

/** What the server says of the device, at the first time and after a connection that was lost. */
export function load(found) {
  span.mostMs = context.known.historyDays * 86_400_000;
  drawSpans();
  meet(found.fields);
  isLoaded = true;
  look();
}

/** New fields: of telemetry's as many as there is room for are drawn at once; reports come but now and then. */
function meet(names) {
  for (const name of names) {
    if (fields.includes(name)) continue;
    fields.push(name);
    if (chosen.size < SHOWN && !name.startsWith(REPORTED)) chosen.add(name);
  }
  fields.sort((a, b) => Number(a.startsWith(REPORTED)) - Number(b.startsWith(REPORTED)));
  list($("field-list"), fields, (name) => name, makeChoice);
}

function makeChoice(name) {
  const box = element("input");
  box.type = "checkbox";
  box.checked = chosen.has(name);
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(name);
    else chosen.delete(name);
    look();
    context.redraw();
  });
  return element("label", "check", box, ` ${name}`);
}

function drawSpans() {
  const days = context.known.historyDays;
  const all = [...SPANS.filter(([, ms]) => ms <= span.mostMs), [`${days} days`, span.mostMs]];
  list($("spans"), all, ([text]) => text, ([text, ms]) => {
    const button = element("button", "", text);
    button.type = "button";
    button.addEventListener("click", () => {
      if (pausedAt !== null) pause(false);
      span.reset(ms);
      look();
    });
    return button;
  }, (button, [, ms]) => mark(button, "aria-pressed", String(span.isLive && span.ms === ms)));
}

/** Another time is looked at: asks for its points once nobody moves any more. */
function look() {
  isFresh = true;
  context.redraw();
  clearTimeout(wait);
  wait = setTimeout(fetchSeries, QUIET_MS);
}

async function fetchSeries() {
  asked?.abort();
  const mine = new AbortController();
  asked = mine;
  const wanted = fields.filter((name) => chosen.has(name));
  if (!wanted.length) return;
  const [from, to] = span.at(pausedAt ?? context.known.now()).map(Math.round);
  const query = new URLSearchParams({ fields: wanted.join(","), from, to, points: POINTS });
  try {
    take(await context.ask(`/series?${query}`, "GET", undefined, mine.signal));
    say($("plots-problem"), "");
  } catch (error) {
    if (error.name !== "AbortError") say($("plots-problem"), error.message);
  }
  context.redraw();
}

/** A series takes the place of all points but those that came while it was asked for. */
function take(series) {
  const end = series.times.at(-1) ?? 0;
  const late = points.times.filter((ms) => ms > end).map((ms) => [ms, pointAt(ms)]);
  points.fill(series);
  isFresh = true;
  for (const [ms, point] of late) points.add(ms, point);
}

function pointAt(ms) {
  const at = points.times.indexOf(ms);
  return Object.fromEntries([...points.columns].map(([field, column]) => [field, column[at]]));
}

export function changed(change) {
  const fresh = change.points?.[context.name] ?? [];
  for (const [ms, point] of fresh) meet(points.add(ms, point));
  isFresh ||= fresh.length > 0;
  if (fresh.length && points.isFull && span.isLive && pausedAt === null) look();
}

export function draw(now) {
  const [from, to] = span.at(pausedAt ?? now);
  drawFrame(from, to, now);
  if (!isFresh && to - drawnAt < span.ms / STEPS) return; // it would move by less than a pixel
  [isFresh, drawnAt] = [false, to];
  const shown = fields.filter((name) => chosen.has(name));
  for (const [name, chart] of charts) {
    if (chosen.has(name)) continue;
    chart.drop();
    charts.delete(name);
  }
  for (const name of shown) if (!charts.has(name)) charts.set(name, new Chart(name, zoomTo));
  list($("plots"), shown, (name) => name, (name) => charts.get(name).figure);
  for (const name of shown) charts.get(name).draw(points.of(name, from, to), from, to);
  if ($("values").open) drawTable(shown, from, to);
}

function zoomTo(from, to) {
  if (pausedAt !== null) pause(false);
  span.between(from, to);
  look();
}

function drawFrame(from, to, now) {
  drawSpans();
  const isLive = span.isLive && pausedAt === null;
  $("now").hidden = isLive;
  $("later").disabled = span.isLive;
  say($("span-text"), `${words.moment(from, now)} to ${isLive ? "now" : words.moment(to, now)}`);
  mark($("csv"), "href", `api/devices/${encodeURIComponent(context.name)}/telemetry.csv?from=${Math.round(from)}&to=${Math.round(to)}`);
  const empty = $("no-telemetry");
  empty.hidden = fields.length > 0 || !isLoaded;
  if (!empty.hidden && !empty.firstChild) {
    empty.append(element("p", "", "No numbers as yet. What the device publishes on telemetry/… as JSON is drawn here, field by field; the example does that every five seconds."));
  }
  for (const id of ["plots", "fields", "values"]) $(id).hidden = fields.length === 0;
  const isMissing = !isThere() && fields.length > 0;
  if (isMissing && $("plots-missing").hidden) $("values").open = true;
  $("plots-missing").hidden = !isMissing;
}

function drawTable(shown, from, to) {
  list($("values-head"), ["Time", ...shown], (name) => name, (name) => {
    const head = element("th", "", name);
    head.scope = "col";
    return head;
  });
  const at = [];
  for (let i = points.times.length - 1; i >= 0 && at.length < ROWS; i--) {
    if (points.times[i] >= from && points.times[i] <= to) at.push(i);
  }
  list($("values-rows"), at.map((_, row) => row), (row) => `${shown.length}-${row}`, () => element("tr", "", ...Array.from({ length: shown.length + 1 }, () => element("td"))), (row, number) => {
    say(row.children[0], words.moment(points.times[at[number]]));
    for (const [column, name] of shown.entries()) say(row.children[column + 1], words.value(points.columns.get(name)?.[at[number]] ?? NaN));
  });
}
