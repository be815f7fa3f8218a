// One field over time, drawn by uPlot; its numbers beside it are the plot's alternative in words.

import { element, mark, say } from "./dom.js";
import { withGaps } from "./points.js";
import { moment, value } from "./words.js";

const HEIGHT = 136;
const FEW = 40; // points that are shown as such, and not as a line alone
const DRAGGED = 6; // px; less is a click

export const isThere = () => Boolean(globalThis.uPlot);

export class Chart {
  /** `zoomed` is called with the two times, in ms, between which somebody has dragged. */
  constructor(field, zoomed) {
    this.field = field;
    this.title = element("h4", "", field);
    this.now = element("p", "now");
    this.canvas = element("div", "canvas");
    this.words = element("figcaption", "quiet");
    this.figure = element("figure", "", element("div", "heading", this.title, this.now), this.canvas, this.words);
    this.canvas.setAttribute("role", "img");
    this.zoomed = zoomed;
    this.range = [0, 1];
    this.latest = "";
    this.plot = null;
    this.watch = new ResizeObserver(([{ contentRect }]) => this.plot?.setSize({ width: Math.floor(contentRect.width), height: HEIGHT }));
  }

  /** Draws what is given between two times, in ms. */
  draw(series, from, to) {
    this.range = [from / 1000, to / 1000];
    this.#tell(series);
    if (!isThere() || !this.canvas.isConnected) return;
    const data = withGaps(series);
    if (!this.plot) this.#make(data);
    else this.plot.setData(data, true);
  }

  #tell({ times, values }) {
    const least = Math.min(...values);
    const most = Math.max(...values);
    const mean = values.reduce((sum, it) => sum + it, 0) / values.length;
    this.latest = values.length ? value(values.at(-1)) : "–";
    if (!this.plot || this.plot.cursor.idx === null || this.plot.cursor.left < 0) say(this.now, this.latest);
    const text = !values.length ? "nothing in this time"
      : least === most ? `always ${value(least)}`
      : `${value(least)} to ${value(most)}, on average ${value(mean)}`;
    say(this.words, text);
    const label = times.length ? `${this.field}: ${times.length} points, ${text}, at last ${this.latest}` : `${this.field}: ${text}`;
    mark(this.canvas, "aria-label", label);
  }

  #make(data) {
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: color("--quiet"), font: `11px ${style.fontFamily}`, grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
    const options = {
      width: Math.max(120, Math.floor(this.canvas.clientWidth)),
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, sync: { key: "telemetry" }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: true, range: () => this.range }, y: { range: spread } },
      axes: [
        { ...axis, size: 26, space: 56, values: (_, splits) => splits.map((s, at) => shortTime(s, splits[at - 1])) },
        { ...axis, size: 58, space: 30, values: (_, splits) => splits.map(value) },
      ],
      series: [{}, {
        stroke: color("--accent"), fill: color("--tint"), width: 1.75, fillTo: (plot) => plot.scales.y.min,
        points: { show: (plot) => plot.data[1].length < FEW, size: 5, fill: color("--accent") },
      }],
      hooks: {
        setSelect: [(plot) => this.#selected(plot)],
        setCursor: [(plot) => this.#pointed(plot)],
      },
    };
    this.plot = new globalThis.uPlot(options, data, this.canvas);
    this.watch.observe(this.canvas);
  }

  #selected(plot) {
    const { left, width } = plot.select;
    if (width >= DRAGGED) this.zoomed(1000 * plot.posToVal(left, "x"), 1000 * plot.posToVal(left + width, "x"));
    if (width) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  #pointed(plot) {
    const { idx, left } = plot.cursor;
    const isAt = idx !== null && idx !== undefined && left >= 0 && plot.data[1][idx] !== null;
    say(this.now, isAt ? `${value(plot.data[1][idx])} at ${moment(1000 * plot.data[0][idx])}` : this.latest);
  }

  /** In other colours, or no longer there: uPlot has to be made anew for both. */
  drop() {
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}

/** Room above and below; a value that never changes is a line in the middle. */
function spread(_, least, most) {
  if (least === null || most === null) return [0, 1];
  const room = (most - least) * 0.1 || Math.max(1, Math.abs(most) * 0.05);
  return [least - room, most + room];
}

function shortTime(s, before) {
  const at = new Date(1000 * s);
  const pad = (number) => String(number).padStart(2, "0");
  const isNewDay = before === undefined || new Date(1000 * before).getDate() !== at.getDate();
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  if (at.getSeconds()) return `${time}:${pad(at.getSeconds())}`;
  const isMidnight = !at.getHours() && !at.getMinutes();
  return isNewDay && isMidnight ? `${at.getDate()}.${at.getMonth() + 1}.` : time;
}
