// Requests to a device and what it tells by itself (docs/ble.md, Requests and answers).

import { within } from "./device.js";
import { Assembler, join, split, uint32 } from "./frames.js";
import {
  ADD, AUTH, BEGIN, COMMIT, CONFIG, ConnectionLost, DOCUMENT_MAX, GET, PIECE, Refused, SCAN, STATUS, TIME, resultName,
} from "./protocol.js";
import { Session, refusal } from "./session.js";

const ANSWER_MS = 10_000; // then the same message is sent again
const SENDINGS = 3; // of one message
const IDLE_MS = 10_000; // the device ends a connection without a frame for 30 s
const COMMIT_MS = 420_000; // eight networks that are tried in turn

export class Client {
  /** What the device has told about itself: mode, networks, progress and so on. */
  status = {};
  /** Called after `status` has changed. */
  onstatus = () => {};
  /** Called when an open session has ended. */
  onlost = () => {};

  #device;
  #session = null; // from the key exchange on
  #isOpen = false; // from the device's proof on
  #assembler;
  #incoming = Promise.resolve();
  #turn = Promise.resolve();
  #waiting = null; // {characteristic, resolve, reject} of the request under way
  #committed = null; // the same for a commit's last answer
  #timer;

  constructor(device) {
    this.#device = device;
    device.onframe = (characteristic, frame) => this.#frame(characteristic, frame);
    device.ondisconnect = () => this.#end(new ConnectionLost());
  }

  /** Connects; gives {protocol, id, version}. ConnectionLost where that fails. */
  connect() {
    this.#assembler = new Assembler();
    this.#incoming = this.#turn = Promise.resolve();
    return this.#device.connect();
  }

  /** Opens a session with the normalised `code` on a fresh connection; Refused ACCESS_DENIED where it is wrong. */
  async open(code) {
    const session = new Session(code);
    await session.onHello(await this.#exchange(AUTH, await session.hello()));
    this.#session = session; // a push may follow at the heels of the proof
    await session.onProof(await this.#exchange(AUTH, await session.proof()));
    this.#isOpen = true;
    await this.refresh();
    this.#timer = setInterval(() => this.refresh().catch(() => {}), IDLE_MS);
  }

  /** Ends session and connection. */
  close() {
    this.#device.disconnect();
    this.#end(new ConnectionLost());
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** Asks for all of the status. */
  async refresh() {
    this.#tell(await this.#request(STATUS, GET));
  }

  /** Has the device look for networks; they come by status. */
  scan() {
    return this.#request(STATUS, SCAN);
  }

  /**
   * Sends a configuration (an object) and has it carried out; what came over an earlier connection is not sent again.
   * `progress` is called with the bytes that are there and those there shall be. Refused says what is wrong.
   */
  async configure(document, progress) {
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    if (bytes.length > DOCUMENT_MAX) throw new Refused("TOO_LARGE", `${bytes.length} of ${DOCUMENT_MAX} bytes`);
    await this.#tellTime();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    let { at } = await this.#request(CONFIG, BEGIN, uint32(bytes.length), hash);
    progress(at, bytes.length);
    while (at < bytes.length) {
      ({ at } = await this.#request(CONFIG, ADD, uint32(at), bytes.subarray(at, at + PIECE)));
      progress(at, bytes.length);
    }
    await this.#commit();
  }

  /** The phone's time, for a device that reaches no time server. It may refuse: an older one knows no such request. */
  async #tellTime() {
    try {
      await this.#request(STATUS, TIME, uint32(Math.floor(Date.now() / 1000)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }

  async #commit() {
    const last = new Promise((resolve, reject) => {
      this.#committed = { resolve, reject };
    });
    last.catch(() => {}); // it may fail before anybody waits
    try {
      await this.#request(CONFIG, COMMIT);
      const answer = await within(COMMIT_MS, last);
      if (resultName(answer.code) !== "CONFIG_DONE") throw new Refused(resultName(answer.code), answer.detail);
    } finally {
      this.#committed = null;
    }
  }

  /** The answer to a request, once those before it have theirs; Refused where it is an error. */
  #request(characteristic, op, ...body) {
    const session = this.#session;
    const answered = this.#turn.then(async () => {
      if (!this.#isOpen || session !== this.#session) throw new ConnectionLost();
      const sealed = await session.seal(characteristic, join([op], ...body));
      const answer = await this.#exchange(characteristic, sealed);
      const result = resultName(answer.code);
      if (result === "SUCCESS" || result === "IN_PROGRESS") return answer;
      if (result === "MISSING_PACKETS" && "at" in answer && op === ADD) return answer; // goes on from there
      throw new Refused(result, answer.detail);
    });
    this.#turn = answered.catch(() => {});
    return answered;
  }

  /** Sends a message until there is an answer: it is the very same where frames of it were lost. */
  async #exchange(characteristic, message) {
    for (let sending = 1; ; sending++) {
      const waiting = { characteristic };
      const answered = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }));
      answered.catch(() => {}); // it may fail before anybody waits
      this.#waiting = waiting;
      try {
        for (const frame of split(message, this.#device.frameSize)) await this.#device.write(characteristic, frame);
        const answer = await within(ANSWER_MS, answered);
        if (!wantsAgain(answer)) return answer;
        throw new ConnectionLost("the device misses frames");
      } catch (error) {
        const isOver = this.#waiting !== waiting; // there may be another connection already
        if (isOver || !(error instanceof ConnectionLost)) throw error;
        if (sending === SENDINGS) {
          this.close();
          throw error;
        }
      } finally {
        if (this.#waiting === waiting) this.#waiting = null;
      }
    }
  }

  /** Messages are opened in their order; each takes WebCrypto's time. */
  #frame(characteristic, frame) {
    const message = this.#assembler.add(characteristic, frame);
    if (!message) return;
    this.#incoming = this.#incoming.then(() => this.#message(characteristic, message)).catch((error) => {
      this.#end(new ConnectionLost(error.message));
      this.#device.disconnect();
    });
  }

  async #message(characteristic, message) {
    if (characteristic === AUTH) {
      if (this.#isOpen && refusal(message) !== "MISSING_PACKETS") throw new ConnectionLost("the session is over");
      this.#waiting?.resolve(message);
      return;
    }
    if (!this.#session) return;
    const text = new TextDecoder().decode(await this.#session.open(characteristic, message));
    const told = JSON.parse(characteristic === CONFIG || characteristic === STATUS ? text : "{}");
    if (!("code" in told)) {
      this.#tell(told);
    } else if (this.#waiting?.characteristic === characteristic) {
      this.#waiting.resolve(told);
    } else if (characteristic === CONFIG && told.op === COMMIT) {
      this.#committed?.resolve(told);
    }
  }

  #tell({ op, code, name, detail, ...members }) {
    Object.assign(this.status, members);
    this.onstatus();
  }

  #end(error) {
    const wasOpen = this.#isOpen;
    clearInterval(this.#timer);
    this.#session = null;
    this.#isOpen = false;
    this.#waiting?.reject(error);
    this.#committed?.reject(error);
    this.#waiting = null;
    if (wasOpen) this.onlost();
  }
}

/** Whether the device has missed frames of a message: it says so without an `op`, on AUTH by a code. */
function wantsAgain(answer) {
  if (answer instanceof Uint8Array) return refusal(answer) === "MISSING_PACKETS";
  return resultName(answer.code) === "MISSING_PACKETS" && !("op" in answer);
}
