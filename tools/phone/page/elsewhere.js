// Where this browser cannot: why, and the address for one that can, with the code of the label.

const $ = (id) => document.getElementById(id);

/** Shows `reason`, {text, todo}, and the address that brought the user here. */
export function tell({ text, todo }) {
  $("unsupported-text").textContent = text;
  $("unsupported-todo").textContent = todo;
  $("unsupported-address").value = isSecureContext ? location.href : location.href.replace(/^http:/, "https:");
  $("unsupported-copy").addEventListener("click", copy);
}

async function copy() {
  $("unsupported-address").select();
  try {
    await navigator.clipboard.writeText($("unsupported-address").value);
    $("unsupported-copied").textContent = "Copied.";
  } catch {
    $("unsupported-copied").textContent = "It is marked now: copy it."; // no clipboard, or not allowed
  }
}
