// All devices in a table: sorted, filtered, changed in place.

import { $, dress, element, list, mark, say } from "./dom.js";
import * as words from "./words.js";

const SORTED_MS = 2000; // rows that change places faster than that cannot be read, or clicked
const FOUND_MS = 800; // of quiet, until a screen reader is told how many there are

/** key: what is sorted by. text: what is shown. */
const COLUMNS = [
  { id: "name", title: "Device", key: (it) => it.name },
  { id: "state", title: "State", key: (it) => (it.connected ? 0 : 1), text: (it) => presence(it) },
  { id: "mode", title: "Mode", key: (it) => it.mode, text: (it) => words.orUnknown(it.mode) },
  { id: "signal", title: "Signal", key: (it) => it.rssi, text: (it) => words.signal(it.rssi).text },
  { id: "version", title: "Version", key: (it) => it.version, text: (it) => words.orUnknown(it.version) },
  { id: "last", title: "Last message", key: (it) => it.last_message, text: (it, now) => words.ago(it.last_message, now) },
  { id: "memory", title: "Free memory", key: (it) => it.heap_free, text: (it) => words.bytes(it.heap_free) },
  { id: "certificate", title: "Certificate ends", key: (it) => it.certificate_end, text: (it, now) => words.end(it.certificate_end, now) },
  { id: "crash", title: "Crash-free", key: (it) => it.crash_free_h, text: (it) => words.hours(it.crash_free_h) },
];
const LAST = COLUMNS.findIndex(({ id }) => id === "last");
const KINDS = {
  all: () => true,
  connected: (it) => it.connected,
  offline: (it) => !it.connected && !isDrained(it),
  updating: (it) => isUpdating(it.update),
  ending: (it, now) => words.endsSoon(it.certificate_end, now),
};
const OVER = new Set(["SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED"]);
const collator = new Intl.Collator("en", { numeric: true });

let known = null;
let redraw = () => {};
let kind = "all";
let sortBy = COLUMNS[0];
let isDescending = false;
let order = []; // the names, as they stand in the table
let sortedAt = -Infinity;
let isStale = true;
let arranged = 0; // devices there were when they were sorted
let rows = []; // in that order
const filled = new WeakMap(); // by row, the summary that it shows
let says = 0;

export function isUpdating(update) {
  return Boolean(update) && !OVER.has(update.status);
}

/** Whether it is no device, but a system whose log is drained. */
export function isDrained(it) {
  return it.mode === "SYSLOG";
}

export function presence(it) {
  if (isDrained(it)) return "Drained";
  if (isUpdating(it.update)) return "Updating";
  if (it.connected === null || it.connected === undefined) return "Unknown";
  return it.connected ? "Connected" : "Offline";
}

/** Makes the table's head and has the controls work. */
export function begin(given, request) {
  known = given;
  redraw = request;
  for (const column of COLUMNS) {
    const button = element("button", "", column.title, element("span", "arrow"));
    button.type = "button";
    button.addEventListener("click", () => sort(column, column === sortBy && !isDescending));
    const head = element("th", `c-${column.id}`, button);
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    $("columns").append(head);
    $("sort").append(new Option(`By ${column.title.toLowerCase()}`, column.id));
  }
  $("sort").addEventListener("change", ({ target }) => sort(COLUMNS.find((it) => it.id === target.value), isDescending));
  $("turn").addEventListener("click", () => sort(sortBy, !isDescending));
  $("find").addEventListener("input", changedFilter);
  for (const button of $("kinds").children) {
    button.addEventListener("click", () => {
      kind = button.dataset.kind;
      for (const it of $("kinds").children) mark(it, "aria-pressed", String(it === button));
      changedFilter();
    });
  }
  sort(sortBy, false);
}

function sort(column, descending) {
  sortBy = column;
  isDescending = descending;
  for (const [at, head] of [...$("columns").children].entries()) {
    const isIt = COLUMNS[at] === column;
    mark(head, "aria-sort", isIt ? (descending ? "descending" : "ascending") : null);
    say(head.querySelector(".arrow"), isIt ? (descending ? "↓" : "↑") : "");
    mark(head.querySelector(".arrow"), "aria-hidden", "true");
  }
  $("sort").value = column.id;
  mark($("turn"), "aria-pressed", String(descending));
  isStale = true;
  redraw();
}

function changedFilter() {
  isStale = true;
  redraw();
  clearTimeout(says);
  says = setTimeout(() => say($("found"), sayFound()), FOUND_MS);
}

function sayFound() {
  if (kind === "all" && !$("find").value.trim()) return "";
  return `${order.length} of ${known.devices.size} devices`;
}

export function draw() {
  const now = known.now();
  countKinds(now);
  if (isStale || arranged !== known.devices.size || performance.now() - sortedAt > SORTED_MS) arrange(now);
  for (const row of rows) fillRow(row, known.devices.get(row.dataset.key), now);
  drawEmpty();
}

function countKinds(now) {
  const devices = [...known.devices.values()];
  for (const button of $("kinds").children) {
    const found = devices.filter((it) => KINDS[button.dataset.kind](it, now)).length;
    say(button.querySelector("b"), String(found));
  }
}

function arrange(now) {
  const wanted = $("find").value.trim().toLowerCase();
  const found = [...known.devices.values()].filter((it) => KINDS[kind](it, now) && isMeant(it, wanted));
  order = found.sort(compare).map((it) => it.name);
  list($("rows"), order, (name) => name, makeRow);
  rows = [...$("rows").children];
  sortedAt = performance.now();
  arranged = known.devices.size;
  isStale = false;
}

function isMeant(it, wanted) {
  return !wanted || [it.name, it.mode, it.version].some((text) => text?.toLowerCase().includes(wanted));
}

/** What is unknown comes last, whichever way it is sorted. */
function compare(one, other) {
  const [a, b] = [sortBy.key(one) ?? null, sortBy.key(other) ?? null];
  if (a === null || b === null) return a === b ? collator.compare(one.name, other.name) : a === null ? 1 : -1;
  const first = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
  return (isDescending ? -first : first) || collator.compare(one.name, other.name);
}

function makeRow(name) {
  const row = element("tr");
  row.setAttribute("role", "row");
  for (const column of COLUMNS) {
    const isHead = column.id === "name";
    const cell = element(isHead ? "th" : "td", `c-${column.id}`);
    cell.setAttribute("role", isHead ? "rowheader" : "cell");
    if (!isHead) cell.dataset.title = column.title;
    if (isHead) {
      const link = element("a", "", name);
      link.href = `#/device/${encodeURIComponent(name)}`;
      cell.scope = "row";
      cell.append(link);
    } else if (column.id === "state") {
      cell.append(element("span", "dot"), " ", element("span"));
    } else if (column.id === "signal") {
      cell.append(bars(), " ", element("span"));
    } else {
      cell.append(element("span"));
    }
    row.append(cell);
  }
  return row;
}

function bars() {
  const meter = element("span", "bars");
  meter.setAttribute("aria-hidden", "true");
  for (let i = 0; i < 4; i++) meter.append(element("i"));
  return meter;
}

/** Of a device that has said nothing new only the time since then is another. */
function fillRow(row, it, now) {
  if (!it) return;
  say(row.children[LAST].lastChild, COLUMNS[LAST].text(it, now));
  if (filled.get(row) === it) return;
  filled.set(row, it);
  for (const [at, column] of COLUMNS.entries()) if (column.text) say(row.children[at].lastChild, column.text(it, now));
  dress(row, `is-${presence(it).toLowerCase()}`);
  dress(row.querySelector(".bars"), `bars bars-${words.signal(it.rssi).bars}`);
  row.querySelector(".c-certificate").classList.toggle("soon", words.endsSoon(it.certificate_end, now));
}

const NOBODY = [
  ["No devices as yet", "A device shows up here as soon as it has its certificate."],
  ["make run", "brings a simulated one to life, with this page beside it."],
  ["make flash, make deploy, make configure", "bring a board here; docs/board.md goes with you."],
];

function drawEmpty() {
  const empty = $("nobody");
  const isEmpty = order.length === 0;
  empty.hidden = !isEmpty;
  $("devices").hidden = isEmpty;
  if (!isEmpty) return;
  const isNone = known.devices.size === 0;
  if (empty.dataset.none === String(isNone)) return;
  empty.dataset.none = String(isNone);
  if (!isNone) {
    empty.replaceChildren(element("h3", "", "None of them"), element("p", "", "No device is as asked for. Type less, or choose “All”."));
    return;
  }
  const [[title, first], ...ways] = NOBODY;
  const lines = ways.map(([what, text]) => element("li", "", element("code", "", what), ` ${text}`));
  empty.replaceChildren(element("h3", "", title), element("p", "", first), element("ul", "", ...lines));
}
