// The page as a whole: where one is, what is known of all devices, and the connection to the server.

import { ask, Stream } from "./api.js";
import * as device from "./device.js";
import { $, say } from "./dom.js";
import * as drawing from "./drawing.js";
import * as fleet from "./fleet.js";
import { moment } from "./words.js";
import * as world from "./world.js";

const TOLD_MS = 8000;

/** What the server says of itself, and of each device: the whole page reads this, and app.js alone writes it. */
const known = {
  devices: new Map(),
  writable: false,
  simulation: false,
  historyDays: 7,
  ahead: 0, // of the server's clock, in ms
  now: () => Date.now() + known.ahead,
};
const stream = new Stream(heard, lost);
let shown = null; // the device's name, or null for the fleet
let isLost = false;
let lostAt = 0;

/** Says a short thing to everybody, screen readers included; it goes by itself. */
let goes = 0;
function tell(text) {
  say($("told"), text);
  clearTimeout(goes);
  goes = setTimeout(() => say($("told"), ""), TOLD_MS);
}

function heard(kind, data) {
  if (kind === "snapshot") takeSnapshot(data);
  for (const summary of data.devices ?? []) known.devices.set(summary.name, summary);
  if (shown) device.changed(data);
  else world.changed(data);
  drawing.request();
}

function takeSnapshot(data) {
  known.devices.clear();
  known.writable = data.writable;
  known.simulation = data.simulation;
  known.historyDays = data.history_days ?? known.historyDays;
  known.ahead = data.now - Date.now();
  const kind = data.simulation ? "simulated devices" : data.cloud === "aws" ? "AWS" : "local cloud";
  say($("where"), [data.where, kind, data.writable ? "" : "read-only"].filter(Boolean).join(" · "));
  say($("trouble"), trouble(data));
  world.open(known);
  if (shown) device.load();
}

/** What keeps the server itself from knowing. */
function trouble({ feed, problem }) {
  if (problem) return `${problem.text}. ${problem.remedy ?? ""}`;
  if (feed?.dropped) return `${feed.dropped} messages were left out: more came than the dashboard could take.`;
  return feed && !feed.connected ? "The dashboard has no connection to the cloud; it tries again by itself. Until then nothing new shows here." : "";
}

function lost(is) {
  if (is === isLost) {
    if (!is) say($("link-text"), "live");
    return;
  }
  isLost = is;
  $("link").classList.toggle("off", is);
  say($("link-text"), is ? "connection lost" : "live");
  if (is) {
    lostAt = Date.now();
    say($("lost"), `The connection to the dashboard is lost since ${moment(lostAt)}; it comes back by itself. What you see is as it was then. If this lasts: is the dashboard still running?`);
    ask("fleet").catch(({ status, message }) => isLost && status && say($("lost"), message)); // it runs, and says why
  } else {
    say($("lost"), "");
    tell("Connected again.");
  }
}

/** The device that the address names; one that cannot be read leads to all of them. */
function place() {
  const found = /^#\/device\/(.+)$/.exec(location.hash);
  try {
    return found ? decodeURIComponent(found[1]) : null;
  } catch {
    return null;
  }
}

/** Shows what the address says; the focus goes to its title, unless the page has just been opened. */
function go(isFirst = false) {
  const before = shown;
  shown = place();
  $("fleet").hidden = shown !== null;
  $("device").hidden = shown === null;
  if (shown) device.show(shown, known, tell);
  else if (before) device.leave();
  document.title = shown ? `${shown} – Devices` : "Devices";
  stream.open(shown);
  if (isFirst) return;
  scrollTo(0, 0);
  $(shown ? "device-title" : "fleet-title").focus({ preventScroll: true });
}

function draw() {
  if (shown) device.draw();
  else fleet.draw();
}

function begin() {
  fleet.begin(known, drawing.request);
  device.begin(drawing.request);
  $("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address says which view is shown
    $("main").focus();
  });
  addEventListener("hashchange", () => go());
  drawing.begin(draw);
  go(true);
}

begin();
