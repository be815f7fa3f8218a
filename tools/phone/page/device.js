// One device over Web Bluetooth: frames to and from its four characteristics.

import { FRAME_MAX, FRAME_MIN } from "./frames.js";
import { AUTH, CHARACTERISTICS, ConnectionLost, SERVICE } from "./protocol.js";

const CONNECT_MS = 15_000;
const WRITE_MS = 10_000;

export class Device {
  /** Called with (characteristic's number, bytes) for each frame that comes. */
  onframe = () => {};
  /** Called when the connection has ended, whoever ended it. */
  ondisconnect = () => {};

  #bluetooth;
  #characteristics = new Map();
  #writing = Promise.resolve();
  #longest = FRAME_MIN;
  #attempt = 0;

  /** Has the user choose among the devices in reach; only the one of this `name` where it is given. */
  static async choose(name = "") {
    const filter = name ? { services: [SERVICE], name } : { services: [SERVICE] };
    const options = { filters: [filter], optionalServices: [SERVICE] };
    return new Device(await navigator.bluetooth.requestDevice(options));
  }

  constructor(bluetooth) {
    this.#bluetooth = bluetooth;
    bluetooth.addEventListener("gattserverdisconnected", () => this.#gone());
  }

  get name() {
    return this.#bluetooth.name ?? "";
  }

  /** Connects and subscribes to everything; gives what AUTH tells without a session: {protocol, id, version}. */
  async connect() {
    this.#longest = FRAME_MIN;
    this.#writing = Promise.resolve(); // what an earlier connection did not finish does not matter
    try {
      return await within(CONNECT_MS, this.#open(++this.#attempt));
    } catch (error) {
      this.disconnect();
      throw error instanceof ConnectionLost ? error : new ConnectionLost(error.message);
    }
  }

  async #open(attempt) {
    const server = await this.#bluetooth.gatt.connect();
    const service = await server.getPrimaryService(SERVICE);
    const found = new Map();
    for (const [number, uuid] of CHARACTERISTICS) {
      const characteristic = await service.getCharacteristic(uuid);
      characteristic.addEventListener("characteristicvaluechanged", (event) => {
        if (this.#characteristics.get(number) === characteristic) this.#received(number, event.target.value);
      });
      found.set(number, characteristic);
    }
    const greeting = await found.get(AUTH).readValue();
    for (const characteristic of found.values()) await characteristic.startNotifications();
    if (attempt !== this.#attempt) throw new ConnectionLost("too late");
    this.#characteristics = found;
    return JSON.parse(new TextDecoder().decode(greeting));
  }

  /** Bytes a frame may have. A page is not told the MTU: what the device has sent in one piece fits both ways. */
  get frameSize() {
    return this.#longest;
  }

  /** Writes one frame, after those before it: there is only one operation at a time. */
  write(number, frame) {
    const characteristic = this.#characteristics.get(number);
    const written = this.#writing.then(async () => {
      if (!characteristic || !this.#bluetooth.gatt.connected) throw new ConnectionLost();
      try {
        await within(WRITE_MS, characteristic.writeValueWithResponse(frame));
      } catch (error) {
        if (this.#characteristics.get(number) === characteristic) this.disconnect();
        throw new ConnectionLost(error.message);
      }
    });
    this.#writing = written.catch(() => {});
    return written;
  }

  /** Ends the connection; nothing where there is none. */
  disconnect() {
    this.#attempt++;
    this.#bluetooth.gatt.disconnect();
    this.#gone();
  }

  #received(number, view) {
    const frame = new Uint8Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    this.#longest = Math.min(FRAME_MAX, Math.max(this.#longest, frame.length));
    this.onframe(number, frame);
  }

  #gone() {
    if (!this.#characteristics.size) return;
    this.#characteristics = new Map();
    this.ondisconnect();
  }
}

/** What `promise` gives, or ConnectionLost after `ms`. */
export async function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new ConnectionLost("no answer in time")), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
