// Which step is on the screen: focus, title, the way back. Knows nothing of devices.

const PART = { pick: 1, code: 1, network: 2, password: 2, check: 3, progress: 4, done: 4 };
const PARTS = 4;
const PREVIOUS = { code: "pick", network: "pick", password: "network", check: "network" };

const $ = (id) => document.getElementById(id);

let current = null;
let guarded = false; // an entry of the history stands before the page, so that the phone's back key leads a step back
let leave = () => {};

export function step() {
  return current;
}

/** `onBack` is called with the step that is left and the one it leads to. */
export function begin(onBack) {
  leave = onBack;
  $("back").addEventListener("click", back);
  document.addEventListener("input", ({ target }) => target.removeAttribute("aria-invalid")); // it is being corrected
  addEventListener("popstate", () => {
    guarded = false;
    if (PREVIOUS[current]) back();
    else if (current === "progress") guard();
  });
}

/** Shows a step and leads the focus to its title; a screen reader reads on from there. */
export function show(name, error = "") {
  say(error);
  if (name !== current) {
    for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
    current = name;
    $("back").hidden = !PREVIOUS[name];
    const part = PART[name] ?? 0;
    $("position").textContent = part ? `Step ${part} of ${PARTS}` : "";
    document.querySelectorAll(".track li").forEach((dot, number) => dot.classList.toggle("reached", number < part));
    document.title = `${$(`${name}-title`).textContent} – Device setup`;
    if (PREVIOUS[name] || name === "progress") guard();
    scrollTo(0, 0);
  }
  $(`${name}-title`).focus({ preventScroll: true });
}

/** An error above the step, or none. */
export function say(error = "") {
  $("error").textContent = error;
}

/** What goes on in the background, or nothing. */
export function banner(text = "") {
  $("banner").textContent = text;
}

/** Runs `work` with a button that cannot be pressed twice and says what it does meanwhile. */
export async function busy(button, text, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const label = button.textContent;
  button.textContent = text;
  button.setAttribute("aria-disabled", "true"); // unlike disabled it keeps the focus
  try {
    await work();
  } finally {
    button.textContent = label;
    button.removeAttribute("aria-disabled");
  }
}

/** Marks a field as wrong and says why, or right with no text; gives whether it is right. */
export function judge(field, problem, text) {
  problem.textContent = text;
  field.setAttribute("aria-invalid", text ? "true" : "false");
  if (text) field.focus();
  return !text;
}

function back() {
  const from = current;
  const to = PREVIOUS[from];
  if (to) leave(from, to);
}

function guard() {
  if (guarded) return;
  guarded = true;
  history.pushState(null, "");
}
