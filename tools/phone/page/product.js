// The product's part of a configuration: all but the Wi-Fi (docs/configuration.md).

import { looked } from "./certificates.js";
import { CLOUDS, cloudOf, isOptional, membersOf, wayOf } from "./clouds.js";
import * as secrets from "./secrets.js";

const KEYS = "keys"; // a box to tick
const FILE_MAX = 65536; // bytes

const field = (member) => document.getElementById(`cloud-${member}`);
const places = () => [...document.querySelectorAll("[data-member]")];
const labelOf = (member) => document.querySelector(`label[for="cloud-${member}"]`)?.textContent ?? member;
const chosenCloud = () => document.getElementById("cloud-name").value;
const shown = () => membersOf(chosenCloud(), chosenWay());

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

function parse(text) {
  let product;
  try {
    product = JSON.parse(text);
  } catch {
    throw new Error("This is not a product file: it is not JSON.");
  }
  if (!cloudOf(product)) {
    throw new Error(`This is not a product file: it has none of ${Object.keys(CLOUDS).join(", ")}, or several.`);
  }
  const { wifi, ...rest } = product; // the network is the user's
  return rest;
}

/** Puts a product into the form. */
export function fill(product) {
  const cloud = cloudOf(product);
  const section = product[cloud];
  document.getElementById("cloud-name").value = cloud;
  for (const { dataset: { member } } of places()) {
    const value = section[member] ?? "";
    if (secrets.isSecret(member)) secrets.keep(member, String(value).trim(), "From the product file.");
    else if (member === KEYS) field(member).checked = value === "service";
    else field(member).value = value;
  }
  choose(wayOf(cloud, section));
  show();
}

/** Shows the fields of the cloud that is chosen, and of the way by which devices prove who they are. */
export function show() {
  const ways = Object.keys(CLOUDS[chosenCloud()].ways);
  const kind = document.getElementById("cloud-kind");
  kind.hidden = ways.length === 0;
  kind.querySelector("legend").textContent = CLOUDS[chosenCloud()].legend ?? "What the device has";
  for (const radio of radios()) radio.closest("label").hidden = !ways.includes(radio.value);
  if (ways.length > 0 && !ways.includes(chosenWay())) choose(ways[0]);
  const members = shown();
  for (const place of places()) place.hidden = !members.includes(place.dataset.member);
  field("endpoint").placeholder = CLOUDS[chosenCloud()].endpoint ?? "";
}

/** The first member that is missing in the form, as {field, text}; null where it is complete. */
export function missing() {
  const member = shown().find((name) => !isOptional(chosenCloud(), chosenWay(), name) && !valueOf(name));
  if (!member) return null;
  return { field: field(member), text: `${labelOf(member)} is missing.` };
}

/** `product` (an object) with what is in the form; an Error with `field` says what there can never work. */
export async function merged(product) {
  secrets.takeTyped();
  const cloud = chosenCloud();
  const section = { ...product[cloud] };
  if (cloud !== "aws") for (const member of Object.values(CLOUDS[cloud].ways).flat()) delete section[member];
  for (const member of shown()) {
    const value = valueOf(member);
    if (value === "") delete section[member];
    else section[member] = value;
  }
  if (chosenWay() !== "claim") delete section[KEYS];
  const rest = Object.fromEntries(Object.entries(product).filter(([name]) => !(name in CLOUDS)));
  try {
    return { ...rest, [cloud]: await looked(section) };
  } catch (error) {
    const place = field(error.member) ?? field("endpoint");
    throw Object.assign(new Error(`${labelOf(error.member)}: ${error.message}.`), { field: place });
  }
}

function valueOf(member) {
  if (secrets.isSecret(member)) return secrets.valueOf(member);
  if (member === KEYS) return field(member).checked ? "service" : ""; // else the device makes it
  const text = field(member).value.trim();
  return member === "port" && text !== "" ? Number(text) : text;
}

/** What the device will call, for people. */
export function endpoint() {
  const cloud = chosenCloud();
  const host = field("endpoint").value.trim() || CLOUDS[cloud].endpoint || "";
  return host && cloud !== "aws" ? `${host} (${CLOUDS[cloud].called})` : host;
}

/** Shows at its field what the device says of a member of the cloud's section, such as "azure.id_scope: missing". */
export function blame(detail = "") {
  const [, cloud, member, reason] = /^(\w+)\.(\w+)[^:]*: (.*)$/s.exec(detail) ?? [];
  const problem = document.getElementById("member-problem");
  problem.textContent = "";
  const input = cloud === chosenCloud() && shown().includes(member) ? field(member) : null;
  if (!input) return;
  input.closest("[data-member]").append(problem);
  problem.textContent = `${labelOf(member)}: ${reason}`;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-errormessage", problem.id);
}

function radios() {
  return [...document.getElementsByName("kind")];
}

function choose(way) {
  for (const radio of radios()) radio.checked = radio.value === way;
}

function chosenWay() {
  return radios().find((radio) => radio.checked)?.value;
}
