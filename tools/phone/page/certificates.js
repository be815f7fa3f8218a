// Certificates and keys: found in what people paste, and looked at before they are sent. The device looks again; it
// knows neither the date nor AWS (tools/board/trust.py says the same on a computer).

const CERTIFICATE = ["CERTIFICATE", "X509 CERTIFICATE"];
const KEY = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];
const REMEDIES = {
  "encrypted private key": "; openssl pkey -in FILE decrypts it",
  "trusted certificate": "; openssl x509 -in FILE converts it",
};
const TAKEN = "; the device takes RSA of 2048 bits and more, and EC on P-256, P-384 and P-521";
const RSA = "2a864886f70d010101";
const EC = "2a8648ce3d0201";
const CURVES = ["2a8648ce3d030107", "2b81040022", "2b81040023"];
const SIGNATURES = /^(2a864886f70d0101(05|0b|0c|0d|0e)|2a8648ce3d04.*)$/;
const CALLED = { "2b6570": "Ed25519", "2b6571": "Ed448", "2a864886f70d01010a": "RSA-PSS" };
// SHA-256 of the public keys of Amazon's roots 1 to 4 and Starfield's services root G2 (amazontrust.com/repository).
export const AMAZON_ROOTS = [
  "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
  "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
  "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
  "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
  "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
];
const AWS = /(^|\.)iot(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/i;
const DATA = /^([a-z0-9]+(-ats|\.ats)\.iot|data\.iot-fips)\./i;

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** `aws` with certificates and keys as plain PEM; an Error with `member` says what is wrong, where anything is. */
export async function looked(aws, now = Date.now()) {
  const clean = { ...aws };
  const roots = at("root_ca", () => find(aws.root_ca, CERTIFICATE).map((block) => ({ ...block, ...parsed(block.der) })));
  clean.root_ca = roots.map(wrapped).join("");
  for (const [name, keyName] of [["claim_certificate", "claim_key"], ["certificate", "key"]]) {
    if (!aws[name] || !aws[keyName]) continue; // the device says what is missing
    const certificate = at(name, () => {
      const block = one(find(aws[name], CERTIFICATE), "certificates");
      const told = parsed(block.der);
      if (told.end < now) throw new Error(`it expired on ${day(told.end)}; make a new one, with its key`);
      return { ...block, ...told };
    });
    const key = at(keyName, () => {
      const block = one(find(aws[keyName], KEY), "private keys");
      const tells = holdsNumbers(block.der);
      if (tells && !hex(block.der).includes(hex(certificate.numbers))) {
        throw new Error("it is not the key of the certificate; take the one that was made with it");
      }
      return block;
    });
    clean[name] = wrapped(certificate);
    clean[keyName] = wrapped(key);
  }
  await at("root_ca", () => checkRoots(roots, aws.endpoint, now));
  at("endpoint", () => checkEndpoint(aws));
  at("port", () => checkPort(aws));
  return clean;
}

function at(member, look) {
  const blame = (error) => {
    throw Object.assign(new Error(error.message), { member });
  };
  try {
    const result = look();
    return result instanceof Promise ? result.catch(blame) : result;
  } catch (error) {
    return blame(error);
  }
}

async function checkRoots(roots, endpoint, now) {
  if (roots.every(({ end }) => end < now)) throw new Error(`it expired on ${day(roots[0].end)}; take the one in use now`);
  if (!AWS.test(endpoint)) return;
  const hashes = await Promise.all(roots.map(async ({ spki }) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", spki)))));
  if (hashes.some((hash) => AMAZON_ROOTS.includes(hash))) return;
  if (roots.some(({ subject }) => new TextDecoder().decode(subject).includes("Amazon"))) return; // an intermediate one
  throw new Error("none of Amazon's, as AWS needs; take AmazonRootCA1.pem of www.amazontrust.com/repository");
}

function checkEndpoint({ endpoint }) {
  if (AWS.test(endpoint) && !DATA.test(endpoint)) {
    throw new Error("not an ATS data endpoint; take the one of aws iot describe-endpoint --endpoint-type iot:Data-ATS");
  }
}

function checkPort({ endpoint, port = 8883 }) {
  if (AWS.test(endpoint) && port !== 8883) throw new Error("AWS takes certificates at 8883; correct the product file");
}

const day = (time) => new Date(time).toISOString().slice(0, 10);

function one(found, what) {
  if (found.length > 1) throw new Error(`${found.length} ${what}, leave the device's own alone`);
  return found[0];
}

/** The blocks with one of `labels`, as {label, der}; an Error tells what there is instead. */
function find(text, labels) {
  const all = [...blocks(text)];
  const trusted = all.find(({ label }) => label === "TRUSTED CERTIFICATE");
  if (trusted && labels === CERTIFICATE) throw new Error(inWords(trusted));
  const found = all.filter((block) => labels.includes(block.label) && !isEncrypted(block));
  if (found.length > 0) return found.map(({ label, body }) => ({ label: label.replace("X509 ", ""), der: decoded(label, body) }));
  const others = all.filter(({ label }) => label !== "EC PARAMETERS").map(inWords).slice(0, 3);
  const wanted = labels === KEY ? "no private key" : "no certificate";
  throw new Error(`${wanted}, but ${others.join(", ") || (text.trim() ? "no PEM block" : "nothing")}`);
}

function* blocks(text) {
  const begin = "-----BEGIN ";
  for (let place = text.indexOf(begin); place >= 0;) {
    const stop = text.indexOf("-----", place + begin.length);
    if (stop < 0) return;
    const label = text.slice(place + begin.length, stop);
    const tail = `-----END ${label}-----`;
    const end = text.indexOf(tail, stop);
    yield { label, body: end < 0 ? null : text.slice(stop + 5, end) };
    place = text.indexOf(begin, end < 0 ? stop : end + tail.length);
  }
}

const isEncrypted = ({ body }) => body?.includes("ENCRYPTED") ?? false;

function inWords(block) {
  let words = isEncrypted(block) ? "encrypted private key" : block.label.toLowerCase();
  if (words.length > 28 || !/^[a-z ]+$/.test(words)) words = "unknown block";
  return `${"aeiou".includes(words[0]) ? "an" : "a"} ${words}${REMEDIES[words] ?? ""}`;
}

function decoded(label, body) {
  try {
    const text = body.replace(/\\[nr]/g, "").replace(/\s+/g, "");
    const binary = atob(text);
    const der = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const { tag, end } = element(der, 0);
    if (btoa(binary) === text && tag === 0x30 && end === der.length) return der;
  } catch {
    // said below
  }
  throw new Error(`a damaged ${label.toLowerCase()}`);
}

function wrapped({ label, der }) {
  const lines = btoa(String.fromCharCode(...der)).match(/.{1,64}/g);
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

// DER (X.690) of certificates (RFC 5280) and keys (RFC 5208, 5915, 8017)

function element(der, offset, wanted) {
  const tag = der[offset];
  let start = offset + 2;
  let size = der[offset + 1];
  if (size & 0x80) {
    const digits = size & 0x7f;
    size = der.subarray(start, start + digits).reduce((sum, digit) => sum * 256 + digit, 0);
    start += digits;
  }
  const end = start + size;
  if (size === undefined || end > der.length || (wanted !== undefined && tag !== wanted)) throw new Error("damaged");
  return { tag, start, end };
}

function parsed(der) {
  let next = element(der, element(der, 0, 0x30).start, 0x30).start;
  const take = (tag) => {
    const found = { ...element(der, next, tag), at: next };
    next = found.end;
    return found;
  };
  if (der[next] === 0xa0) take(); // version
  take(); // serial number
  const signature = oid(der, take(0x30).start);
  if (!SIGNATURES.test(signature)) throw new Error(`signed by ${CALLED[signature] ?? "another algorithm"}, which the device cannot load`);
  take(); // issuer
  const validity = take(0x30);
  const subject = take(0x30);
  const spki = take(0x30);
  const algorithm = element(der, spki.start, 0x30);
  const isRsa = checkAlgorithm(der, algorithm);
  const bits = element(der, algorithm.end, 0x03);
  const numbers = isRsa ? modulus(der, element(der, bits.start + 1, 0x30).start) : der.subarray(bits.start + 1, bits.end);
  if (!isRsa && numbers[0] !== 4) throw new Error("a compressed point, which the device cannot load");
  const end = time(der, element(der, validity.start).end);
  return { end, numbers, spki: der.slice(spki.at, spki.end), subject: der.slice(subject.start, subject.end) };
}

function time(der, offset) {
  const { tag, start, end } = element(der, offset);
  let text = new TextDecoder().decode(der.subarray(start, end));
  if (tag === 0x17) text = (text < "50" ? "20" : "19") + text;
  const [, year, month, date, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  if (!year) throw new Error("damaged");
  return Date.UTC(year, month - 1, date, hour, minute, second);
}

/** Whether a key that the device can load has its public numbers with it. */
function holdsNumbers(der) {
  const version = element(der, element(der, 0, 0x30).start, 0x02);
  let next = version.end;
  if (der[next] === 0x02) return Boolean(modulus(der, next));
  const isPkcs8 = der[next] === 0x30;
  if (isPkcs8) {
    const algorithm = element(der, next, 0x30);
    const isRsa = checkAlgorithm(der, algorithm);
    if (der[version.start] !== 0) throw new Error("PKCS#8 of a version that the device cannot load");
    next = element(der, element(der, element(der, algorithm.end, 0x04).start, 0x30).start, 0x02).end;
    if (isRsa) return Boolean(modulus(der, next));
  }
  next = element(der, next, 0x04).end;
  if (der[next] === 0xa0) {
    const parameters = element(der, next);
    checkCurve(oid(der, parameters.start));
    next = parameters.end;
  } else if (!isPkcs8) {
    throw new Error("an EC key that does not name its curve");
  }
  return der[next] === 0xa1;
}

function checkAlgorithm(der, { start }) {
  const kind = oid(der, start);
  if (kind === RSA) return true;
  if (kind !== EC) throw new Error(`a key for ${CALLED[kind] ?? "another algorithm"}${TAKEN}`);
  checkCurve(oid(der, element(der, start).end));
  return false;
}

function checkCurve(curve) {
  if (!CURVES.includes(curve)) throw new Error(`an EC key on another curve${TAKEN}`);
}

function modulus(der, offset) {
  const { start, end } = element(der, offset, 0x02);
  let first = start;
  while (first < end && der[first] === 0) first++;
  if (end - first < 256) throw new Error(`an RSA key of ${8 * (end - first)} bits${TAKEN}`);
  return der.subarray(first, end);
}

function oid(der, offset) {
  const { start, end } = element(der, offset);
  return hex(der.subarray(start, end));
}
