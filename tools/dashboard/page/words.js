// Numbers, times and states, as people read them.

const UNKNOWN = "–";
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const both = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const DAY_MS = 86_400_000;

const isKnown = (value) => value !== null && value !== undefined;

/** A reading, in as many digits as are of use. */
export function value(given) {
  if (!Number.isFinite(given)) return UNKNOWN;
  return Math.abs(given) < 1000 ? number.format(given) : whole.format(given);
}

/** How long something lasts, in its two largest units at the most: "3 s", "2 h 5 min". */
export function lasting(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 && h < 6 ? `${h} h ${min % 60} min` : `${h} h`;
  return h < 48 ? "1 day" : `${Math.floor(h / 24)} days`;
}

/** How long ago; what has just come counts as now, as clocks differ by a little. */
export function ago(then, now) {
  if (!isKnown(then)) return UNKNOWN;
  return now - then < 1000 ? "now" : `${lasting(now - then)} ago`;
}

/** A time of the day, with the day where that is another. */
export function moment(ms, now = Date.now()) {
  if (!isKnown(ms)) return UNKNOWN;
  return new Date(ms).toDateString() === new Date(now).toDateString() ? clock.format(ms) : both.format(ms);
}

/** The day a certificate ends, and how long that is. */
export function end(ms, now) {
  if (!isKnown(ms)) return UNKNOWN;
  if (ms <= now) return `ended ${day.format(ms)}`;
  const days = Math.floor((ms - now) / DAY_MS);
  return days < 100 ? `${day.format(ms)}, in ${lasting(ms - now)}` : day.format(ms);
}

export function endsSoon(ms, now) {
  return isKnown(ms) && ms - now < 30 * DAY_MS;
}

export function bytes(count) {
  if (!isKnown(count)) return UNKNOWN;
  return count < 1000 ? `${count} B` : `${(count / 1000).toPrecision(3)} KB`;
}

export function exactly(count) {
  return isKnown(count) ? whole.format(count) : UNKNOWN;
}

export function hours(count) {
  if (!isKnown(count)) return UNKNOWN;
  if (count < 1) return "under 1 h";
  return count < 48 ? `${whole.format(count)} h` : `${whole.format(count / 24)} days`;
}

/** A signal's strength: {bars: 0 to 4, text}; of dBm, and 0 where there is none. */
export function signal(rssi) {
  if (!isKnown(rssi) || rssi === 0) return { bars: 0, text: UNKNOWN };
  const bars = rssi >= -55 ? 4 : rssi >= -67 ? 3 : rssi >= -75 ? 2 : 1;
  return { bars, text: `${rssi} dBm` };
}

export function orUnknown(text) {
  return isKnown(text) && text !== "" ? String(text) : UNKNOWN;
}
