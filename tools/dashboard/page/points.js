// The points of one device that are on the screen: a bounded table of times and values, field by field.

const MOST = 1500; // of them; then the server is asked anew, which thins

export class Points {
  constructor() {
    this.times = [];
    this.columns = new Map();
  }

  get isFull() {
    return this.times.length >= MOST;
  }

  /** Takes a series, as the server answers it, in place of all there is. */
  fill({ fields, times, values }) {
    this.times = times;
    this.columns = new Map(fields.map((field, at) => [field, values[at]]));
  }

  /** Takes a point that has just come; what comes late is dropped, as the next series has it. Gives new fields. */
  add(ms, point) {
    if (ms <= (this.times.at(-1) ?? -Infinity)) return [];
    const fresh = [];
    for (const [field, value] of Object.entries(point)) {
      if (typeof value !== "number" || this.columns.has(field)) continue;
      this.columns.set(field, new Array(this.times.length).fill(null));
      fresh.push(field);
    }
    this.times.push(ms);
    for (const [field, column] of this.columns) column.push(typeof point[field] === "number" ? point[field] : null);
    if (this.times.length > MOST) {
      this.times.shift();
      for (const column of this.columns.values()) column.shift();
    }
    return fresh;
  }

  /** One field's points between two times, without those that lack it: {times in s, values}. */
  of(field, from, to) {
    const column = this.columns.get(field) ?? [];
    const times = [];
    const values = [];
    for (let at = 0; at < column.length; at++) {
      const ms = this.times[at];
      if (column[at] === null || column[at] === undefined || ms < from || ms > to) continue;
      times.push(ms / 1000);
      values.push(column[at]);
    }
    return { times, values };
  }
}

/** The same with a gap where nothing came for much longer than usual, so that no line is drawn over it. */
export function withGaps({ times, values }, leastS = 15) {
  const apart = times.slice(1).map((s, at) => s - times[at]);
  const usual = [...apart].sort((a, b) => a - b)[apart.length >> 1] ?? 0;
  const most = Math.max(leastS, 4 * usual);
  if (!apart.some((s) => s > most)) return [times, values];
  const made = [[], []];
  for (const [at, s] of times.entries()) {
    if (at && apart[at - 1] > most) {
      made[0].push(times[at - 1] + apart[at - 1] / 2);
      made[1].push(null);
    }
    made[0].push(s);
    made[1].push(values[at]);
  }
  return made;
}
