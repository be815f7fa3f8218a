// Keys and passwords of clouds: taken from files and fields, and never shown again.

const FILES = ["claim_key", "key"]; // never in a field: whoever sets a device up need not see them
const TYPED = ["password", "shared_access_key", "group_key", "device_secret"];
const FILE_MAX = 65536; // bytes

const kept = {};

const field = (member) => document.getElementById(`cloud-${member}`);
const isFile = (member) => FILES.includes(member);

export const isSecret = (member) => isFile(member) || TYPED.includes(member);

export const valueOf = (member) => (isFile(member) ? "" : field(member).value) || (kept[member] ?? "");

/** Keeps a secret out of sight; "" forgets it. `from` says where it was, for people. */
export function keep(member, secret, from) {
  kept[member] = secret;
  field(member).value = ""; // what was typed, or a file that was picked before
  document.getElementById(`cloud-${member}-from`).textContent = secret ? from : isFile(member) ? "Choose its file." : "";
}

/** Takes what has been typed out of the form. */
export function takeTyped() {
  for (const member of TYPED) {
    if (field(member).value) keep(member, field(member).value, "Kept. Type it again to change it.");
  }
}

/** Takes a key from the file that the user picked for it; Error says what is wrong. */
export async function takeFile(picker) {
  const member = FILES.find((name) => field(name) === picker);
  const [file] = picker.files;
  if (!member || !file) return;
  const label = document.querySelector(`label[for="cloud-${member}"]`).textContent;
  if (file.size > FILE_MAX) throw new Error(`${label}: this file is too large to be a key.`);
  kept[member] = (await file.text()).trim();
  document.getElementById(`cloud-${member}-from`).textContent = kept[member] ? `From ${file.name}.` : "Choose its file.";
}
