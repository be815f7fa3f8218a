// A session that is opened again when it was lost.

import { Client } from "./client.js";
import { ConnectionLost } from "./protocol.js";

const CONNECTS = 3; // phones often fail at the first attempt
const PAUSES_MS = [0, 500, 1000, 2000, 4000, 4000, 4000, 4000, 4000]; // before each attempt to connect again

export class Connection {
  /** Called with true when the session was lost, with false when it is there again. */
  onlost = () => {};
  /** Called when connecting again was given up. */
  onfailed = () => {};

  #client;
  #code = "";
  #reopening = null;
  #closed = true;

  /** `onstatus` is called when `status` has changed. */
  constructor(device, onstatus) {
    this.#client = new Client(device);
    this.#client.onstatus = onstatus;
    this.#client.onlost = () => {
      if (!this.#closed) this.ready().catch(() => {});
    };
  }

  get client() {
    return this.#client;
  }

  get status() {
    return this.#client.status;
  }

  /** Opens the first session; gives {protocol, id, version}. Refused for a wrong code, else ConnectionLost. */
  async open(code) {
    let greeting;
    try {
      greeting = await this.#connect();
      await this.#client.open(code); // once: a wrong proof counts
    } catch (error) {
      this.#client.close();
      throw error;
    }
    this.#code = code;
    this.#closed = false; // from here on it is kept open
    return greeting;
  }

  async #connect() {
    for (let left = CONNECTS - 1; ; left--) {
      try {
        return await this.#client.connect();
      } catch (error) {
        if (!(error instanceof ConnectionLost) || left === 0) throw error;
      }
    }
  }

  /** Returns once there is a session, be it a new one; ConnectionLost when that was given up. */
  async ready() {
    if (this.#client.isOpen) return;
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = null;
    });
    await this.#reopening;
  }

  async #reopen() {
    this.onlost(true);
    for (const pause of PAUSES_MS) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (this.#closed) break;
      try {
        await this.#client.connect();
        await this.#client.open(this.#code);
        this.onlost(false);
        return;
      } catch (error) {
        this.#client.close();
        if (!(error instanceof ConnectionLost)) {
          this.onfailed();
          throw error;
        }
      }
    }
    if (!this.#closed) this.onfailed();
    throw new ConnectionLost();
  }

  /** Ends it for good, and forgets the code. */
  close() {
    this.#closed = true;
    this.#code = "";
    this.#client.close();
  }
}
