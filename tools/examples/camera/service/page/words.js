// What is told of a camera, in words: pure, without the page.

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** "2.0 MB" */
export function bytes(number) {
  if (number < 1000) return `${number} bytes`;
  return number < 1e6 ? `${Math.round(number / 1000)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}

/** How long ago that was: "just now", "5 minutes ago". */
export function ago(seconds) {
  if (seconds < 10) return "just now";
  const [count, unit] = seconds < 2 * MINUTE_S ? [Math.round(seconds), "second"]
    : seconds < 2 * HOUR_S ? [Math.round(seconds / MINUTE_S), "minute"]
    : seconds < 2 * DAY_S ? [Math.round(seconds / HOUR_S), "hour"]
    : [Math.round(seconds / DAY_S), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** When that was, of today without the day. */
export function when(ms, now = new Date()) {
  const date = new Date(ms);
  const isToday = date.toDateString() === now.toDateString();
  return date.toLocaleString(undefined, isToday ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}

/** What has come of the last snapshot. */
export function state({ state, made_ms, reason }, nowMs) {
  switch (state) {
    case "waiting":
      return `Asked ${ago((nowMs - made_ms) / 1000)}. The camera sends its picture as soon as it can.`;
    case "late":
      return `It was asked ${ago((nowMs - made_ms) / 1000)} and has not answered. It may be off, or without a network; it is asked again when it comes back.`;
    case "failed":
      return `The camera could not send the picture it was asked for ${ago((nowMs - made_ms) / 1000)}: ${reason}`;
    default:
      return "";
  }
}
