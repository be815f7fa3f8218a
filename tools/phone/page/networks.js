// The list of Wi-Fi networks, and what a network needs of its user.

import { security, signal } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const LOCK = "M7 10V8a5 5 0 0 1 10 0v2h1v10H6V10h1zm2 0h6V8a3 3 0 0 0-6 0v2z";
const encoder = new TextEncoder();

/** Shows `networks` in `list` (a ul); `choose` is called with the one that is pressed. Buttons that stay keep the focus. */
export function render(list, networks, choose) {
  const before = new Map([...list.children].map((item) => [item.dataset.ssid, item]));
  const focused = document.activeElement?.closest("li")?.dataset.ssid;
  const items = networks.map((network) => {
    const item = before.get(network.ssid) ?? document.createElement("li");
    item.dataset.ssid = network.ssid;
    const button = item.querySelector("button") ?? item.appendChild(document.createElement("button"));
    button.type = "button";
    button.disabled = network.security === "enterprise";
    button.onclick = () => choose(network);
    button.replaceChildren(...row(network));
    return item;
  });
  const changed = items.length !== list.children.length || items.some((item, at) => item !== list.children[at]);
  if (!changed) return;
  list.replaceChildren(...items);
  if (focused !== undefined) items.find((item) => item.dataset.ssid === focused)?.querySelector("button").focus();
}

function row({ ssid, rssi, security: kind }) {
  const { bars, text } = signal(rssi);
  const name = element("span", "ssid", ssid);
  const facts = element("span", "about", `${text}, ${security(kind)}`);
  const both = element("span", "words");
  both.append(name, " ", facts);
  const meter = element("span", `bars bars-${bars}`);
  meter.setAttribute("aria-hidden", "true");
  for (let i = 0; i < 4; i++) meter.append(element("i"));
  return kind === "open" ? [both, meter] : [both, lock(), meter];
}

function lock() {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("class", "lock");
  picture.setAttribute("aria-hidden", "true");
  picture.appendChild(document.createElementNS(SVG, "path")).setAttribute("d", LOCK);
  return picture;
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** What is wrong with a network's name, "" where nothing is. */
export function nameProblem(ssid) {
  const size = encoder.encode(ssid).length;
  if (size === 0) return "Type the network’s name.";
  return size > 32 ? "A network’s name has at most 32 characters." : "";
}
