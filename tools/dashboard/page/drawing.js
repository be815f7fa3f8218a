// When the page draws: at most four times a second, however much comes in, and not at all where nobody sees it.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const APART_MS = 250;
const CALM_APART_MS = 1000; // for those who do not want to see things move

let draw = () => {};
let due = false;
let last = -Infinity;

/** `work` is what draws; it is called with the time, and each second too, as ages grow without any news. */
export function begin(work) {
  draw = work;
  setInterval(request, 1000);
  document.addEventListener("visibilitychange", request);
}

/** Something has changed. */
export function request() {
  if (due || document.hidden) return;
  due = true;
  const left = last + (calm.matches ? CALM_APART_MS : APART_MS) - performance.now();
  setTimeout(() => requestAnimationFrame(now), Math.max(0, left));
}

function now() {
  due = false;
  last = performance.now();
  draw();
}
