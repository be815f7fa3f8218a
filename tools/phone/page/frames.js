// Messages in frames that fit the MTU (docs/ble.md, Frames).

const FIRST = 0x80;
const LAST = 0x40;
const SEQUENCE = 0x3f;

export const FRAME_MIN = 20; // bytes, at the smallest MTU there is, 23
export const FRAME_MAX = 512; // bytes: no attribute is longer (Bluetooth Core 5.4, vol. 3, part F, 3.2.9)
export const MESSAGE_MAX = 8192; // bytes

/** Yields the frames of `message` (1 to MESSAGE_MAX bytes), of at most `size` bytes with their header. */
export function* split(message, size) {
  if (message.length < 1 || message.length > MESSAGE_MAX) {
    throw new RangeError(`a message has 1 to ${MESSAGE_MAX} bytes`);
  }
  const room = size - 1;
  for (let start = 0, number = 0; start < message.length; start += room, number++) {
    const piece = message.subarray(start, start + room);
    const frame = new Uint8Array(1 + piece.length);
    frame[0] = number & SEQUENCE;
    if (start === 0) frame[0] |= FIRST;
    if (start + room >= message.length) frame[0] |= LAST;
    frame.set(piece, 1);
    yield frame;
  }
}

/** Joins frames to messages. The other side sends one message at a time, on whichever characteristic. */
export class Assembler {
  #pieces = null;
  #characteristic = 0;
  #length = 0;

  /** Takes a frame; gives the message that it completes, else null. What does not fit drops the message. */
  add(characteristic, frame) {
    if (frame.length < 2) return this.#drop();
    const header = frame[0];
    if (header & FIRST) {
      this.#pieces = [];
      this.#characteristic = characteristic;
      this.#length = 0;
    }
    const pieces = this.#pieces;
    if (!pieces || characteristic !== this.#characteristic) return this.#drop();
    if ((header & SEQUENCE) !== (pieces.length & SEQUENCE)) return this.#drop();
    this.#length += frame.length - 1;
    if (this.#length > MESSAGE_MAX) return this.#drop();
    pieces.push(frame.subarray(1));
    if (!(header & LAST)) return null;
    this.#drop();
    return join(...pieces);
  }

  #drop() {
    this.#pieces = null;
    return null;
  }
}

/** One array of the bytes of all. */
export function join(...arrays) {
  const whole = new Uint8Array(arrays.reduce((length, array) => length + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}

/** A number as four bytes, big-endian. */
export function uint32(number) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}
