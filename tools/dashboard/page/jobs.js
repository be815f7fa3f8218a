// The device's jobs: made, watched, cancelled.

import { $, busy, dress, element, list, mark, say, sure } from "./dom.js";
import * as json from "./json.js";
import { moment } from "./words.js";

const OPEN = ["QUEUED", "IN_PROGRESS"];
const KINDS = [
  ["Blink three times", { action: "blink", times: 3 }],
  ["Restart", { action: "reboot" }],
  ["Ten minutes of log, debug lines too", { action: "log", level: "debug", minutes: 10 }],
  ["Replace the certificate", { action: "rotate-certificate" }],
  ["Another, as typed below", null],
];
const STATES = {
  QUEUED: "waits for the device", IN_PROGRESS: "under way", SUCCEEDED: "done", FAILED: "failed", REJECTED: "refused",
  CANCELED: "cancelled", TIMED_OUT: "took too long", REMOVED: "removed",
};

let context = null;
let jobs = null; // the newest first; null: not known as yet

export function begin(given) {
  context = given;
  for (const [at, [text]] of KINDS.entries()) $("job-kind").append(new Option(text, String(at)));
  $("job-kind").addEventListener("change", choose);
  $("job-document").addEventListener("input", () => {
    judge("");
    $("job-kind").value = String(KINDS.length - 1);
  });
  $("job-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("job-form").querySelector(".primary"), $("job-problem"), create);
  });
  choose();
}

function choose() {
  const [, document_] = KINDS[Number($("job-kind").value)];
  if (document_) $("job-document").value = JSON.stringify(document_);
  judge("");
}

function judge(problem) {
  say($("job-problem"), problem);
  mark($("job-document"), "aria-invalid", problem ? "true" : null);
}

async function create() {
  try {
    const document_ = json.object($("job-document").value);
    const { job } = await context.ask("/jobs", "POST", { document: document_ });
    context.tell(`Job ${job} is created.`);
  } catch (error) {
    judge(error.message);
    $("job-document").focus();
  }
}

export function clear() {
  jobs = null;
  $("job-list").replaceChildren();
  judge("");
}

export function load(found) {
  jobs = found.jobs;
}

export function changed(change) {
  jobs = change.jobs?.[context.name] ?? jobs;
}

export function draw(now) {
  $("no-jobs").hidden = jobs?.length !== 0;
  list($("job-list"), jobs ?? [], (job) => job.job, make, (item, job) => fill(item, job, now));
}

function make(job) {
  const cancel = element("button", "secondary small", "Cancel");
  cancel.type = "button";
  cancel.setAttribute("aria-label", `Cancel ${job.job}`);
  cancel.addEventListener("click", () => busy(cancel, $("job-problem"), () => stop(job.job)));
  const bar = element("progress");
  bar.max = 100;
  bar.setAttribute("aria-label", `Progress of ${job.job}`);
  return element("li", "", element("div", "heading", element("strong", "", job.job), element("span", "state"), cancel), bar, element("p", "quiet"), element("p", "hint"));
}

function fill(item, job, now) {
  const [head, bar, about, details] = item.children;
  const [, state, cancel] = head.children;
  say(state, STATES[job.status] ?? job.status);
  dress(state, `state is-${job.status.toLowerCase()}`);
  cancel.hidden = !OPEN.includes(job.status);
  cancel.disabled = !context.known.writable;
  const percent = Number(job.details?.percent);
  bar.hidden = job.status !== "IN_PROGRESS";
  if (Number.isFinite(percent)) bar.value = percent;
  else bar.removeAttribute("value");
  say(about, `${inShort(job.document)} · ${moment(job.updated ?? job.queued, now)}`);
  say(details, Object.entries(job.details ?? {}).map(([key, value]) => `${key}: ${value}`).join(", "));
  details.hidden = !details.textContent;
}

/** A job's document in a line: an update's has more signatures than words. */
function inShort(document_) {
  const version = /^version (.+)$/m.exec(document_?.manifest ?? "");
  if (version) return `Update to ${version[1]}`;
  const text = typeof document_ === "string" ? document_ : JSON.stringify(document_ ?? null);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}

async function stop(job) {
  const isRunning = jobs?.find((it) => it.job === job)?.status === "IN_PROGRESS";
  if (isRunning && !(await sure(`${job} is under way. Cancel it all the same?`, "Cancel the job"))) return;
  await context.ask(`/jobs/${encodeURIComponent(job)}${isRunning ? "?force=1" : ""}`, "DELETE");
  context.tell(`Job ${job} is cancelled.`);
}
