// The last step: the document on its way, with what the device tells of it.

import { ConnectionLost } from "./protocol.js";
import * as words from "./words.js";

const STAGES = ["receiving", "checking", "joining", "storing", "restarting"];
const LATE = ["storing", "restarting"]; // from here on a device that is gone has most likely taken its settings
const RESUMES_MAX = 20;

const $ = (id) => document.getElementById(id);

class Sending {
  #stage = null; // the number of the stage that the device is at, while something is sent
  #ssid = "";

  /** Sends `document` and returns when the device has stored it; goes on over a new connection where one is lost. */
  async run(connection, document) {
    this.#ssid = document.wifi[0].ssid;
    this.#draw(0);
    $("progress-bar").value = 0;
    $("progress-bytes").textContent = "";
    try {
      for (let left = RESUMES_MAX; ; left--) {
        try {
          await connection.ready();
          await connection.client.configure(document, bytes);
          this.#draw(STAGES.length);
          return;
        } catch (error) {
          if (!(error instanceof ConnectionLost) || left === 0) throw error;
          if (LATE.includes(STAGES[this.#stage])) return;
        }
      }
    } finally {
      this.#stage = null;
    }
  }

  /** Takes the device's progress, {step}; nothing unless something is being sent. */
  tell(progress) {
    if (this.#stage === null || !progress) return;
    const stage = STAGES.indexOf(progress.step);
    if (stage > 0 && stage !== this.#stage) this.#draw(stage);
  }

  #draw(stage) {
    this.#stage = stage;
    const texts = STAGES.map((step) => words.progress({ step, ssid: this.#ssid }));
    $("progress-text").textContent = texts[stage] ? `${texts[stage]} …` : "";
    $("stages").replaceChildren(...texts.map((text, number) => {
      const item = document.createElement("li");
      item.textContent = text;
      item.className = number < stage ? "over" : number === stage ? "now" : "";
      if (number === stage) item.setAttribute("aria-current", "step");
      return item;
    }));
  }
}

function bytes(at, size) {
  $("progress-bar").max = size;
  $("progress-bar").value = at;
  $("progress-bytes").textContent = `${at.toLocaleString()} of ${size.toLocaleString()} bytes`;
}

export const sending = new Sending();
