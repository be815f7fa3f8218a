// What the page shows of the images, and the way on from a board that was flashed.

import { ask } from "./console.js";

const $ = (id) => document.getElementById(id);
const ANSWER = /^([0-9A-Z]{4}(?:-[0-9A-Z]{4}){2}) (\S+)$/;

console.debug = () => {}; // where ESP Web Tools writes all that it sends, Wi-Fi passwords too

/** Every installation erases: a board that is updated without that would keep half of what it had. */
$("button").overrides = { checkSameFirmware: () => false };

async function showImages() {
  const answer = await fetch("manifest.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const { name, version, builds } = await answer.json();
  for (const build of builds) {
    const row = document.createElement("div");
    for (const [tag, text] of [["dt", build.chipFamily], ["dd", `${name} ${version} on MicroPython ${build.micropython}, for ${build.flash} of flash`]]) {
      row.appendChild(document.createElement(tag)).textContent = text;
    }
    $("images").append(row);
  }
}

/** The port of the board that was flashed, or else of the one that the user picks. */
async function choosePort() {
  const ports = await navigator.serial.getPorts();
  return ports.length === 1 ? ports[0] : navigator.serial.requestPort();
}

async function readCode() {
  $("ask").setAttribute("aria-disabled", "true");
  $("asked").textContent = "Asking the board …";
  try {
    const [, code, name] = (await ask(await choosePort(), "code")).match(ANSWER) ?? [];
    if (!code) throw new Error("The board has no code: it runs another firmware, or is not set up by phone.");
    showCode(code, name);
  } catch (error) {
    const cancelled = error.name === "NotFoundError"; // nothing was picked
    $("asked").textContent = cancelled ? "" : `${error.message} Close the window of the first step, and try again.`;
  } finally {
    $("ask").removeAttribute("aria-disabled");
  }
}

function showCode(code, name) {
  const shown = document.createElement("span");
  shown.className = "code";
  shown.textContent = code;
  $("asked").replaceChildren(shown, ` is the code of ${name}. Write it on its label.`);
  $("next").href = `../#${new URLSearchParams({ code: code.replaceAll("-", ""), name })}`;
}

$("ask").addEventListener("click", readCode);
$("ask").hidden = !("serial" in navigator);
showImages().catch((error) => ($("problem").textContent = `The images cannot be shown: ${error.message}. Reload this page.`));
