// Which time is shown: so long until now, or so long until a moment that stands.

const MIN_MS = 60_000;
const SHORTEST_MS = 5000;
const SHIFT = 0.5;

export const SPANS = [
  ["5 min", 5 * MIN_MS],
  ["1 hour", 60 * MIN_MS],
  ["1 day", 24 * 60 * MIN_MS],
];

export class Span {
  constructor() {
    this.reset();
    this.mostMs = 7 * 24 * 60 * MIN_MS;
    this.begins = null; // when the device was heard of for the first time
  }

  get isLive() {
    return this.end === null;
  }

  reset(ms = SPANS[0][1]) {
    this.ms = ms;
    this.end = null;
  }

  /** [from, to], in ms. Of a device that is new the time before it is left out. */
  at(now) {
    const to = this.end ?? now;
    const from = to - this.ms;
    if (!this.isLive || this.begins === null || this.begins < from) return [from, to];
    return [Math.max(from, Math.min(this.begins, to - MIN_MS)), to];
  }

  between(from, to) {
    this.ms = Math.max(SHORTEST_MS, to - from);
    this.end = to;
  }

  /** Half a window to the left (-1) or right (1); who arrives at now stays there. */
  move(way, now) {
    const to = (this.end ?? now) + way * SHIFT * this.ms;
    this.end = to >= now ? null : Math.max(to, now - this.mostMs + this.ms);
  }

  /** Half as long, or twice; around the middle, but for now, which stays at the edge. */
  zoom(factor, now) {
    const middle = this.end === null ? null : this.end - this.ms / 2;
    this.ms = Math.min(this.mostMs, Math.max(SHORTEST_MS, this.ms * factor));
    if (middle === null) return;
    this.end = middle + this.ms / 2;
    if (this.end >= now) this.end = null;
  }
}
