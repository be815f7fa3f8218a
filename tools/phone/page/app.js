// The way through the steps.

import { Connection } from "./connection.js";
import { Device } from "./device.js";
import * as elsewhere from "./elsewhere.js";
import * as label from "./label.js";
import { nameProblem, render } from "./networks.js";
import * as secret from "./password.js";
import * as product from "./product.js";
import { ConnectionLost, Refused } from "./protocol.js";
import * as secrets from "./secrets.js";
import { sending } from "./sending.js";
import { normalised } from "./session.js";
import * as steps from "./steps.js";
import * as words from "./words.js";

const $ = (id) => document.getElementById(id);

const reason = words.unsupported();
const link = reason ? {} : label.read(); // another browser will need the address as it is, with the label's code
let known = link; // the code that is known, and whose it is
let device = null;
let connection = null;
let settings = {}; // the product's part of the document
let network = null; // {ssid, security}
let password = "";

// Pick

async function pick(name) {
  steps.say();
  try {
    connection?.close();
    connection = null;
    device = await Device.choose(name);
  } catch (error) {
    steps.show("pick", await pickProblem(error));
    return;
  }
  $("device-name").textContent = device.name;
  const isIts = !known.name || !device.name || known.name === device.name;
  if (known.code && isIts) await prove(known.code); // a wrong proof would count
  else steps.show("code");
}

async function pickProblem(error) {
  if (!(await navigator.bluetooth.getAvailability())) return words.BLUETOOTH_OFF;
  return error.name === "NotFoundError" ? words.NOTHING_CHOSEN : words.NOT_ALLOWED;
}

// Code

async function prove(code) {
  connection = new Connection(device, onStatus);
  connection.onlost = (lost) => steps.banner(lost ? words.RECONNECTING : words.RECONNECTED);
  connection.onfailed = () => {
    steps.banner();
    if (steps.step() !== "progress") steps.show("pick", words.GAVE_UP);
  };
  try {
    const { id } = await connection.open(code);
    $("device-name").textContent = id;
  } catch (error) {
    connection = null;
    failed(error);
    return;
  }
  known = { code, name: device.name }; // for the way back from a later step
  steps.banner();
  steps.show("network", words.lastTime(connection.status.error));
  scan();
}

function failed(error) {
  if (error instanceof Refused) {
    const { step, text } = words.forResult(error.result, error.detail);
    if (step === "code") known = { code: "", name: "" };
    steps.show(connection || step === "code" ? step : "pick", text);
    if (step === "code") $("code-input").select();
  } else if (error instanceof ConnectionLost) {
    steps.show("pick", words.UNREACHABLE);
  } else {
    throw error;
  }
}

function submitCode(event) {
  event.preventDefault();
  const code = normalised($("code-input").value);
  if (!steps.judge($("code-input"), $("code-problem"), label.problem(code))) return;
  steps.busy($("code-go"), "Connecting …", async () => {
    await prove(code);
    if (connection) $("code-input").value = "";
  });
}

// Network and password

function onStatus() {
  if (!connection) return;
  render($("networks"), connection.status.networks ?? [], choose);
  $("network-state").textContent = words.search(connection.status);
  sending.tell(connection.status.progress);
}

function scan() {
  connection.client.scan().catch(() => {}); // a lost connection is told of elsewhere
}

function choose(chosen) {
  network = chosen;
  password = "";
  $("password-network").textContent = chosen.ssid;
  if (chosen.security === "open") check();
  else askPassword();
}

function askPassword(error = "") {
  password = "";
  secret.clear();
  steps.show("password", error);
}

function submitOther(event) {
  event.preventDefault();
  const ssid = $("other-name").value;
  if (!steps.judge($("other-name"), $("other-problem"), nameProblem(ssid))) return;
  choose({ ssid, security: $("other-open").checked ? "open" : "other" });
}

function submitPassword(event) {
  event.preventDefault();
  password = secret.take();
  if (password) check();
}

// Check and send

function check(error = "", detail = "") {
  $("check-device").textContent = connection.status.id ?? device.name;
  $("check-network").textContent = network.ssid;
  showEndpoint();
  $("cloud").open = product.missing() !== null || error !== "";
  steps.show("check", error);
  product.blame(detail);
}

function showEndpoint() {
  $("cloud-problem").textContent = "";
  product.blame();
  $("check-cloud").textContent = product.endpoint() || "not filled in yet";
}

async function pickProduct() {
  const [file] = $("cloud-file").files;
  if (!file) return;
  try {
    settings = await product.picked(file);
    product.fill(settings);
    showEndpoint();
  } catch (error) {
    $("cloud-problem").textContent = error.message;
  }
}

async function pickKey(event) {
  try {
    await secrets.takeFile(event.target);
    $("cloud-problem").textContent = "";
  } catch (error) {
    $("cloud-problem").textContent = error.message;
  }
}

async function submitCheck(event) {
  event.preventDefault();
  const lacking = product.missing();
  if (lacking) {
    $("cloud").open = true;
    steps.judge(lacking.field, $("cloud-problem"), lacking.text);
    return;
  }
  $("cloud-problem").textContent = "";
  let document;
  try {
    document = { ...await product.merged(settings), wifi: [{ ssid: network.ssid, password }] };
  } catch (error) {
    $("cloud").open = true;
    steps.judge(error.field, $("cloud-problem"), error.message);
    return;
  }
  steps.show("progress");
  try {
    await sending.run(connection, document);
  } catch (error) {
    refused(error);
    return;
  }
  password = "";
  connection.close();
  $("done-text").textContent = `${$("device-name").textContent} restarts and connects by itself. You can close this page. If it can be found here again after some minutes, it did not reach its cloud: find it once more, and it tells why.`;
  steps.banner();
  steps.show("done");
}

function refused(error) {
  if (!(error instanceof Refused)) {
    failed(error);
    return;
  }
  const { step, text } = words.forResult(error.result, error.detail);
  if (step === "password" && network.security !== "open") askPassword(text);
  else if (step === "check") check(text, error.detail);
  else if (step === "password") steps.show("network", text);
  else failed(error);
}

// The whole

function goBack(from, to) {
  if (from === "check" && network.security !== "open") askPassword();
  else steps.show(to);
  if (to !== "pick") return;
  connection?.close();
  connection = null;
  steps.banner();
}

function wire() {
  product.show();
  $("pick-go").addEventListener("click", () => steps.busy($("pick-go"), "Connecting …", () => pick(link.name)));
  $("pick-all").addEventListener("click", () => steps.busy($("pick-all"), "Connecting …", () => pick("")));
  $("code-input").addEventListener("input", (event) => label.group(event.target));
  $("code-form").addEventListener("submit", submitCode);
  $("rescan").addEventListener("click", scan);
  $("other-form").addEventListener("submit", submitOther);
  $("password-form").addEventListener("submit", submitPassword);
  $("password-show").addEventListener("click", secret.toggle);
  $("cloud-file").addEventListener("change", pickProduct);
  for (const id of ["cloud-claim_key", "cloud-key"]) $(id).addEventListener("change", pickKey);
  $("cloud").addEventListener("input", showEndpoint);
  for (const id of ["cloud-name", "cloud-kind"]) $(id).addEventListener("change", product.show);
  $("check-form").addEventListener("submit", submitCheck);
  $("again").addEventListener("click", () => location.reload());
  addEventListener("hashchange", () => location.reload()); // another label was scanned
  addEventListener("pagehide", () => connection?.close());
}

async function begin() {
  wire();
  steps.begin(goBack);
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("sw.js").catch(() => {}); // it works without
  if (reason) {
    elsewhere.tell(reason);
    steps.show("unsupported");
    return;
  }
  if (link.name) {
    $("pick-name").hidden = $("pick-all").hidden = false;
    $("pick-name").querySelector("strong").textContent = link.name;
  }
  steps.show("pick", (await navigator.bluetooth.getAvailability()) ? "" : words.BLUETOOTH_OFF);
  const published = await product.published();
  if (published) {
    settings = published;
    product.fill(settings);
  }
}

begin();
