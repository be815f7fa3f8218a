// The product's part of a configuration: all but the Wi-Fi (docs/configuration.md).

import { looked } from "./certificates.js";

const COMMON = ["endpoint", "root_ca"];
const KINDS = { claim: ["template", "claim_certificate", "claim_key"], own: ["thing_name", "certificate", "key"] };
const FILE_MAX = 65536; // bytes

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

/** A file that the user picked; Error says what is wrong with it. */
export async function picked(file) {
  if (file.size > FILE_MAX) throw new Error("This file is too large to be a product file.");
  return parse(await file.text());
}

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
  for (const member of [...COMMON, ...KINDS.claim, ...KINDS.own]) field(member).value = aws[member] ?? "";
  showKind();
}

/** Shows the fields of the kind of certificate that is chosen. */
export function showKind() {
  for (const kind of Object.keys(KINDS)) document.getElementById(`kind-${kind}`).hidden = kind !== chosenKind();
}

/** The first member that is missing in the form, as {field, text}; null where it is complete. */
export function missing() {
  const member = [...COMMON, ...KINDS[chosenKind()]].find((name) => !field(name).value.trim());
  if (!member) return null;
  return { field: field(member), text: `${labelOf(member)} is missing.` };
}

/** `product` (an object) with what is in the form; an Error with `field` says what there can never work. */
export async function merged(product) {
  const aws = { ...product.aws };
  const kind = chosenKind();
  for (const member of [...COMMON, ...KINDS[kind]]) aws[member] = field(member).value.trim();
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
