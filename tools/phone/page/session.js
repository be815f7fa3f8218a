// The phone's half of a session (docs/ble.md, The session and Sealed messages). Knows no Bluetooth.

import { join, uint32 } from "./frames.js";
import { ConnectionLost, Refused, VERSION, resultName } from "./protocol.js";

const HELLO = 0x01;
const PROOF = 0x02;
const REFUSED = 0xff;

const INFO = new TextEncoder().encode("esp32-aws-iot ble 1");
const POINT = 65; // bytes of an uncompressed point
const KEY = 32;
const COUNTER = 4;
const TAG = 16;
const CODE = /^[0-9A-HJKMNP-TV-Z]{12}$/; // Crockford's base32: no I, L, O, U
const ECDH = { name: "ECDH", namedCurve: "P-256" };
const HMAC = { name: "HMAC", hash: "SHA-256" };

/** The code's characters as the session uses them, from whatever a person wrote: perhaps too few, or wrong ones. */
export function normalised(text) {
  return text.replace(/[\s\u2010-\u2015-]/g, "").toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
}

/** Whether a normalised code is one. */
export function isCode(text) {
  return CODE.test(text);
}

/** A normalised code, or the beginning of one, as people read it: ABCD-EFGH-JKMN. */
export function spelt(text) {
  return text.match(/.{1,4}/g)?.join("-") ?? "";
}

/** What a message on AUTH refuses, as the name of a result code; null where it is no refusal. */
export function refusal(message) {
  return message.length === 2 && message[0] === REFUSED ? resultName(message[1]) : null;
}

/** One connection's keys: hello, onHello, proof, onProof in this order; then seal and open. */
export class Session {
  #code;
  #pair;
  #public;
  #salt;
  #keys;
  #sent = 0;
  #received = 0;

  /** `code`: normalised. `pair`: a key pair for this session alone; a fresh one unless given. */
  constructor(code, pair = null) {
    this.#code = new TextEncoder().encode(code);
    this.#pair = pair;
  }

  /** The first message on AUTH. */
  async hello() {
    this.#pair ??= await crypto.subtle.generateKey(ECDH, false, ["deriveBits"]);
    this.#public = new Uint8Array(await crypto.subtle.exportKey("raw", this.#pair.publicKey));
    return join([HELLO, VERSION], this.#public);
  }

  /** Takes the device's hello. */
  async onHello(message) {
    const body = bodyOf(message, HELLO);
    if (body[0] !== VERSION) throw new Refused("UNSUPPORTED_VERSION");
    const point = body.subarray(1);
    let key;
    try {
      if (point.length !== POINT) throw new RangeError();
      key = await crypto.subtle.importKey("raw", point, ECDH, false, []);
    } catch {
      throw new Refused("ACCESS_DENIED", "the device's key is none");
    }
    const secret = await crypto.subtle.deriveBits({ name: "ECDH", public: key }, this.#pair.privateKey, KEY * 8);
    this.#salt = join(this.#public, point);
    await this.#derive(join(new Uint8Array(secret), this.#code));
    this.#code = this.#pair = null;
  }

  async #derive(secret) {
    const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
    const hkdf = { name: "HKDF", hash: "SHA-256", salt: this.#salt, info: INFO };
    const okm = new Uint8Array(await crypto.subtle.deriveBits(hkdf, material, 6 * KEY * 8));
    const key = (number, algorithm, use) =>
      crypto.subtle.importKey("raw", okm.slice(number * KEY, (number + 1) * KEY), algorithm, false, [use]);
    const [myProof, itsProof, encrypt, authenticate, decrypt, verify] = await Promise.all([
      key(0, HMAC, "sign"), key(1, HMAC, "verify"),
      key(2, "AES-CTR", "encrypt"), key(3, HMAC, "sign"),
      key(4, "AES-CTR", "decrypt"), key(5, HMAC, "sign"),
    ]);
    this.#keys = { myProof, itsProof, encrypt, authenticate, decrypt, verify };
  }

  /** The second message on AUTH. */
  async proof() {
    return join([PROOF], await hmac(this.#keys.myProof, this.#salt));
  }

  /** Checks the device's proof: only one that knows the code can answer. */
  async onProof(message) {
    const proof = bodyOf(message, PROOF);
    if (!(await crypto.subtle.verify(HMAC, this.#keys.itsProof, proof, this.#salt))) {
      throw new Refused("ACCESS_DENIED", "what answers does not know the code");
    }
  }

  /** The next message to the device on a characteristic (1 to 4). */
  async seal(characteristic, plaintext) {
    const counter = uint32(this.#sent++);
    const text = await crypto.subtle.encrypt(counterMode(counter), this.#keys.encrypt, plaintext);
    const sealed = join(counter, new Uint8Array(text));
    return join(sealed, await tag(this.#keys.authenticate, characteristic, sealed));
  }

  /** The plaintext of the device's next message; ConnectionLost where it is not just that. */
  async open(characteristic, message) {
    const sealed = message.subarray(0, -TAG);
    const counter = sealed.subarray(0, COUNTER);
    const right = await tag(this.#keys.verify, characteristic, sealed);
    if (!same(right, message.subarray(-TAG)) || !same(counter, uint32(this.#received))) {
      throw new ConnectionLost("a message is not the device's next one");
    }
    this.#received++;
    const text = await crypto.subtle.decrypt(counterMode(counter), this.#keys.decrypt, sealed.subarray(COUNTER));
    return new Uint8Array(text);
  }
}

function bodyOf(message, kind) {
  const result = refusal(message);
  if (result) throw new Refused(result);
  if (message[0] !== kind) throw new ConnectionLost("the device answers what makes no sense");
  return message.subarray(1);
}

/** The first counter block is the message's counter and zeros; its last four bytes count the blocks. */
function counterMode(counter) {
  return { name: "AES-CTR", counter: join(counter, new Uint8Array(16 - COUNTER)), length: 32 };
}

async function hmac(key, data) {
  return new Uint8Array(await crypto.subtle.sign(HMAC, key, data));
}

async function tag(key, characteristic, sealed) {
  return (await hmac(key, join([characteristic], sealed))).subarray(0, TAG);
}

/** Whether the bytes are equal, in a time that does not tell where they differ. */
function same(a, b) {
  if (a.length !== b.length) return false;
  let different = 0;
  for (let i = 0; i < a.length; i++) different |= a[i] ^ b[i];
  return different === 0;
}
