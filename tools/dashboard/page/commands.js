// Commands: for now, and answered at once.

import { $, busy, dress, element, list, mark, say } from "./dom.js";
import * as json from "./json.js";
import { moment } from "./words.js";

const SHOWN = 10;
const DIGEST = /-[0-9a-f]{16}$/; // of the payload: the cloud has a command for each
const STATES = {
  CREATED: "sent", IN_PROGRESS: "under way", SUCCEEDED: "done", FAILED: "failed", REJECTED: "refused", TIMED_OUT: "no answer",
};

let context = null;
let executions = null; // the latest first; null: not known as yet

export function begin(given) {
  context = given;
  $("command-payload").addEventListener("input", () => judge(""));
  $("command-name").addEventListener("input", () => judge(""));
  $("command-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("command-form").querySelector(".primary"), $("command-problem"), send);
  });
}

/** Tells what is wrong, at the field that it is wrong in. */
function judge(problem, field = $("command-payload")) {
  say($("command-problem"), problem);
  for (const it of [$("command-name"), $("command-payload")]) mark(it, "aria-invalid", problem && it === field ? "true" : null);
  if (problem) field.focus();
}

async function send() {
  const name = $("command-name").value.trim();
  if (!name) {
    judge("Name the command: the example knows led.", $("command-name"));
    return;
  }
  try {
    const payload = json.object($("command-payload").value || "{}");
    await context.ask("/commands", "POST", { name, payload });
    context.tell(`Command ${name} is sent.`);
  } catch (error) {
    judge(error.message);
  }
}

export function clear() {
  executions = null;
  $("command-list").replaceChildren();
  judge("");
}

export function load(found) {
  executions = found.commands;
}

export function changed(change) {
  executions = change.commands?.[context.name] ?? executions;
}

export function draw(now) {
  $("no-commands").hidden = executions?.length !== 0;
  list($("command-list"), executions?.slice(0, SHOWN) ?? [], (it) => it.execution, make, (item, it) => fill(item, it, now));
}

function make() {
  return element("li", "", element("div", "heading", element("strong"), element("span", "state")), element("p", "quiet"));
}

function fill(item, it, now) {
  const [head, about] = item.children;
  say(head.firstChild, it.command.replace(DIGEST, ""));
  say(head.lastChild, STATES[it.status] ?? it.status);
  dress(head.lastChild, `state is-${it.status.toLowerCase()}`);
  const result = it.result && Object.keys(it.result).length ? JSON.stringify(it.result) : "";
  say(about, [moment(it.created, now), result, it.reason].filter(Boolean).join(" · "));
}
