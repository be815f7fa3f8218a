// The field of the Wi-Fi password. What is in it does not stay there.

import { judge } from "./steps.js";

const $ = (id) => document.getElementById(id);

/** Empties the field. */
export function clear() {
  $("password-input").value = "";
  judge($("password-input"), $("password-problem"), "");
  show(false);
}

/** The password, the field being empty from then on; "" where it is none, and the field says why. */
export function take() {
  const field = $("password-input");
  const password = field.value;
  if (!judge(field, $("password-problem"), problem(password))) return "";
  clear();
  return password;
}

/** Shows what is typed, or dots. */
export function toggle() {
  show($("password-input").type === "password");
}

function show(shown) {
  const button = $("password-show");
  $("password-input").type = shown ? "text" : "password";
  button.textContent = shown ? "Hide" : "Show";
  button.setAttribute("aria-label", shown ? "Hide password" : "Show password");
}

/** What is wrong with a password, "" where nothing is: 8 to 63 characters, or a key of 64 hex digits. */
function problem(password) {
  const size = new TextEncoder().encode(password).length;
  if (size === 0) return "Type the password.";
  if (size < 8) return "A Wi-Fi password has at least 8 characters.";
  if (size > 63 && !/^[0-9a-f]{64}$/i.test(password)) return "A Wi-Fi password has at most 63 characters.";
  return "";
}
