// The product's part of a configuration: all but the Wi-Fi (docs/configuration.md).

import { looked } from "./certificates.js";

const COMMON = ["endpoint", "root_ca"];
const KINDS = { claim: ["template", "claim_certificate", "claim_key"], own: ["thing_name", "certificate", "key"] };
const KEYS = ["claim_key", "key"]; // never in a field: whoever sets a device up need not see them
const FILE_MAX = 65536; // bytes

const keys = {};

const labelOf = (member) => document.querySelector(`label[for="cloud-${member}"]`)?.textContent ?? member;
const field = (member) => document.getElementById(`cloud-${member}`);

/** The product file beside the page, null where there is none. */
export async function published() {
  try {
    const answer = await fetch("product.json", { credentials: "omit" });
    return answer.status === 200 ? parse(await answer.text()) : null;
  } catch {
    return null; // offline before it was ever loaded, or no such file
  }
}

/** A product file that the user picked; Error says what is wrong with it. */
export async function picked(file) {
  if (file.size > FILE_MAX) throw new Error("This file is too large to be a product file.");
  return parse(await file.text());
}

/** Takes a key from the file that the user picked for it; Error says what is wrong. */
export async function takeKey(picker) {
  const member = KEYS.find((name) => field(name) === picker);
  const [file] = picker.files;
  if (!member || !file) return;
  if (file.size > FILE_MAX) throw new Error(`${labelOf(member)}: this file is too large to be a key.`);
  keep(member, await file.text(), `From ${file.name}.`);
}

function keep(member, key, from) {
  keys[member] = key.trim();
  document.getElementById(`cloud-${member}-from`).textContent = keys[member] ? from : "Choose its file.";
}

const valueOf = (member) => KEYS.includes(member) ? keys[member] ?? "" : field(member).value.trim();

function parse(text) {
  let product;
  try {
    product = JSON.parse(text);
  } catch {
    throw new Error("This is not a product file: it is not JSON.");
  }
  if (typeof product?.aws !== "object" || product.aws === null) {
    throw new Error("This is not a product file: it has no “aws”.");
  }
  const { wifi, ...rest } = product; // the network is the user's
  return rest;
}

/** Puts a product into the form. */
export function fill({ aws }) {
  const own = KINDS.own.every((member) => aws[member]) && !aws.claim_key;
  for (const radio of document.getElementsByName("kind")) radio.checked = radio.value === (own ? "own" : "claim");
  for (const member of [...COMMON, ...KINDS.claim, ...KINDS.own]) {
    if (!KEYS.includes(member)) field(member).value = aws[member] ?? "";
    else {
      field(member).value = ""; // a file that was picked before
      keep(member, aws[member] ?? "", "From the product file.");
    }
  }
  field("keys").checked = aws.keys === "service";
  showKind();
}

/** Shows the fields of the kind of certificate that is chosen. */
export function showKind() {
  for (const kind of Object.keys(KINDS)) document.getElementById(`kind-${kind}`).hidden = kind !== chosenKind();
}

/** The first member that is missing in the form, as {field, text}; null where it is complete. */
export function missing() {
  const member = [...COMMON, ...KINDS[chosenKind()]].find((name) => !valueOf(name));
  if (!member) return null;
  return { field: field(member), text: `${labelOf(member)} is missing.` };
}

/** `product` (an object) with what is in the form; an Error with `field` says what there can never work. */
export async function merged(product) {
  const aws = { ...product.aws };
  const kind = chosenKind();
  for (const member of [...COMMON, ...KINDS[kind]]) aws[member] = valueOf(member);
  if (kind === "claim" && field("keys").checked) aws.keys = "service";
  else delete aws.keys; // the device makes it
  try {
    return { ...product, aws: await looked(aws) };
  } catch (error) {
    const place = field(error.member) ?? field("endpoint");
    throw Object.assign(new Error(`${labelOf(error.member)}: ${error.message}.`), { field: place });
  }
}

export function endpoint() {
  return field("endpoint").value.trim();
}

function chosenKind() {
  return [...document.getElementsByName("kind")].find((radio) => radio.checked).value;
}
