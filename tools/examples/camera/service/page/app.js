// The page: it looks at one camera again and again, which costs next to nothing where nothing has changed (ETag).
import { ago, bytes, state, when } from "./words.js";

const SOON_MS = 300; // while a picture is waited for, and then ever more rarely, up to
const SELDOM_MS = 2000;
const IDLE_MS = 5000;
const LOST_MS = 3000;
const $ = (id) => document.getElementById(id);
let cameras = [];
let seen = null; // of the camera that is shown
let timer = 0;
let pauseMs = SOON_MS;
let turn = 0; // an answer that comes after a newer question is none

/** What the service answers; an Error in words where it does not. */
async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-cache", ...options });
  } catch {
    throw new Error("This page's service does not answer. It is asked again.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error ?? `This page's service answers with status ${answer.status}.`);
  return told;
}

/** The camera and the picture that the address names: #/NAME/ID. */
function place() {
  const [, name = "", picture = ""] = location.hash.split("/").map(decodeURIComponent);
  return { name: cameras.some((one) => one.name === name) ? name : (cameras[0]?.name ?? ""), picture };
}

const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
const source = (name, id) => `pictures/${encodeURIComponent(name)}/${id}.jpg`;

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Children of `parent`, one for each item, by their keys: those that stay are changed in place and keep the focus. */
function list(parent, items, key, make, fill) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const child = before.get(key(item)) ?? make(item);
    child.dataset.key = key(item);
    fill(child, item);
    return child;
  });
  if (wanted.some((child, at) => parent.children[at] !== child) || parent.children.length !== wanted.length) {
    const focused = document.activeElement;
    parent.replaceChildren(...wanted);
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }
}

function mark(anchor, isCurrent) {
  if (isCurrent) anchor.setAttribute("aria-current", "true");
  else anchor.removeAttribute("aria-current");
}

function entry(href, ...children) {
  const [item, anchor] = [document.createElement("li"), document.createElement("a")];
  anchor.href = href;
  anchor.append(...children);
  item.append(anchor);
  return item;
}

function thumbnail({ id }) {
  const [image, text] = [document.createElement("img"), document.createElement("span")];
  image.loading = "lazy";
  image.alt = "";
  image.src = source(seen.name, id);
  return entry(link(seen.name, id), image, text);
}

function showCameras(name) {
  list($("cameras"), cameras, (one) => one.name, (one) => entry(link(one.name), one.name),
    (child, one) => mark(child.firstChild, one.name === name));
  $("nobody").hidden = cameras.length > 0;
  $("camera").hidden = cameras.length === 0;
}

function showPicture(shown) {
  $("shown").hidden = !shown;
  $("none").hidden = Boolean(shown);
  if (!shown) return;
  const url = source(seen.name, shown.id);
  if ($("picture").getAttribute("src") !== url) $("picture").src = url;
  $("picture").alt = `What ${seen.name} saw, ${when(shown.made_ms)}`;
  $("whole").href = url;
  $("whole").ariaLabel = `The picture of ${when(shown.made_ms)} by itself`;
  say($("caption"), `${when(shown.made_ms)} · ${bytes(shown.size)}`);
}

function show() {
  const { name, picture } = place();
  showCameras(name);
  const camera = cameras.find((one) => one.name === name);
  if (!camera || seen?.name !== name) return;
  const now = Date.now();
  document.title = `${name} · Cameras`;
  say($("name"), name);
  say($("online"), `Last connected ${ago(now / 1000 - camera.online_s)}`);
  say($("state"), state(seen.snapshot, now));
  $("state").className = seen.snapshot.state;
  showPicture(seen.pictures.find((one) => one.id === picture) ?? seen.pictures[0]);
  const shown = seen.pictures.some((one) => one.id === picture) ? picture : seen.pictures[0]?.id;
  $("earlier").hidden = seen.pictures.length < 2;
  list($("gallery"), seen.pictures, (one) => `${name}/${one.id}`, thumbnail, (child, one) => {
    mark(child.firstChild, one.id === shown);
    say(child.querySelector("span"), when(one.made_ms));
  });
}

/** Ask the service what there is, show it, and again after a while; at once where somebody does something. */
async function look() {
  clearTimeout(timer);
  const mine = ++turn;
  let pause = IDLE_MS;
  try {
    const found = (await ask("api/cameras")).cameras;
    if (mine !== turn) return;
    cameras = found;
    const { name } = place();
    const now = name ? await ask(`api/cameras/${encodeURIComponent(name)}`) : null;
    if (mine !== turn) return;
    seen = now;
    if (seen?.snapshot.state === "waiting") [pause, pauseMs] = [pauseMs, Math.min(1.3 * pauseMs, SELDOM_MS)];
    else pauseMs = SOON_MS;
    say($("lost"), "");
    show();
  } catch (error) {
    if (mine !== turn) return;
    say($("lost"), error.message);
    pause = LOST_MS;
  }
  if (!document.hidden) timer = setTimeout(look, pause);
}

$("ask").addEventListener("click", async () => {
  if ($("ask").getAttribute("aria-disabled") === "true" || !seen) return;
  $("ask").setAttribute("aria-disabled", "true"); // unlike disabled it keeps the focus
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    await ask(`api/cameras/${encodeURIComponent(seen.name)}/snapshots`, options);
    if (location.hash !== link(seen.name)) location.hash = link(seen.name); // the new one is what is looked at
    else await look();
  } catch (error) {
    say($("lost"), error.message);
  } finally {
    $("ask").removeAttribute("aria-disabled");
  }
});
addEventListener("hashchange", () => {
  show();
  look();
});
addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
look();
