// What stands on a device's label: its code, and in the QR code an address with it.

import { isCode, normalised, spelt } from "./session.js";

/** {code, name} of the label's address, "" where it has none; nothing stays in the address bar or the history. */
export function read() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  const code = normalised(fragment.get("code") ?? "");
  return { code: isCode(code) ? code : "", name: fragment.get("name") ?? "" };
}

/** Puts what is typed into groups of four; not while somebody corrects it in the middle. */
export function group(input) {
  if (input.selectionStart === input.value.length) input.value = spelt(normalised(input.value));
}

/** What is wrong with a normalised code, "" where nothing is. */
export function problem(code) {
  if (isCode(code)) return "";
  if (code.length < 12) return `These are ${code.length} characters; the code has 12.`;
  return "This is not a code: it has 12 digits and letters, and never a U.";
}
