// What the page asks of its server, and the one stream by which it hears of changes.

const QUIET_MS = 20_000; // without a sign of life; then the server is asked whether it is still there
const RETRY_MS = 1000;
const RETRY_MOST_MS = 10_000;
const LATE_MS = 10_000;
const JSON_TYPE = { "Content-Type": "application/json" }; // which no form of another site can send

/** What the server answers. Throws an Error whose message is for people, with `status`. */
export async function ask(path, method = "GET", body = undefined, signal = undefined) {
  const request = { method, signal };
  if (method !== "GET") Object.assign(request, { headers: JSON_TYPE, body: JSON.stringify(body ?? {}) });
  let answer;
  try {
    answer = await fetch(`api/${path}`, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The dashboard does not answer: is it still running?");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  const { text = `the server refuses it (${answer.status})`, remedy = "" } = told.error ?? {};
  throw Object.assign(new Error(remedy ? `${text}. ${remedy}` : text), { status: answer.status });
}

/** A device's part of the API. */
export function at(name, path = "") {
  return `devices/${encodeURIComponent(name)}${path}`;
}

export class Stream {
  /** `heard` is called with "snapshot" or "change" and its data, `isLost` with whether the connection is lost. */
  constructor(heard, isLost) {
    this.heard = heard;
    this.isLost = isLost;
    this.source = null;
    this.device = null;
    this.retryMs = RETRY_MS;
    this.timer = 0;
    this.heardAt = 0;
    this.watch = setInterval(() => this.#look(), QUIET_MS / 4);
    // A computer that slept has connections that are dead and do not know it yet.
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
    addEventListener("online", () => this.#look(0));
  }

  /** From now on with the points, lines and jobs of this device, or of none. */
  open(device) {
    this.device = device;
    this.#close();
    const source = new EventSource(device ? `api/stream?device=${encodeURIComponent(device)}` : "api/stream");
    this.source = source;
    this.heardAt = Date.now();
    for (const kind of ["snapshot", "change"]) {
      source.addEventListener(kind, (event) => {
        if (source === this.source) this.#take(kind, event.data);
      });
    }
    source.onerror = () => source === this.source && this.#lost();
  }

  #take(kind, data) {
    this.heardAt = Date.now();
    this.retryMs = RETRY_MS;
    this.isLost(false);
    this.heard(kind, JSON.parse(data));
  }

  #lost() {
    this.isLost(true);
    this.#close();
    this.timer = setTimeout(() => this.open(this.device), this.retryMs);
    this.retryMs = Math.min(2 * this.retryMs, RETRY_MOST_MS);
  }

  #close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  async #look(quietMs = QUIET_MS) {
    if (!this.source || Date.now() - this.heardAt < quietMs) return;
    const { source } = this;
    try {
      await ask("fleet", "GET", undefined, AbortSignal.timeout(LATE_MS));
      this.heardAt = Date.now();
    } catch {
      if (source === this.source) this.#lost();
    }
  }
}
