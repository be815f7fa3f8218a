// What went wrong, in words for the person who holds the phone, with what to do, and the step where that is done.

const WORDS = {
  ACCESS_DENIED: ["code", "That is not this device’s code.", "Look at its label again: 12 letters and digits. After wrong codes the device makes pauses."],
  LOCKED: ["pick", "Wrong code again: the device lets no phone in for a while, two minutes at most.", "Wait, or unplug it and plug it in again; then start over with the code on its label."],
  UNSUPPORTED_VERSION: ["pick", "The device speaks another version of the setup protocol.", "Reload this page to get its latest version."],
  WRONG_PASSWORD: ["password", "The network does not accept this password.", "Capital and small letters matter. Type it again."],
  WRONG_SSID: ["network", "The device cannot find this network.", "Move it nearer to the router. It needs 2.4 GHz Wi-Fi; many networks of 5 GHz alone cannot be used."],
  OPEN_NETWORK: ["network", "This network is open: it takes no password.", "Choose it again without one. If yours has a password, this one only has its name."],
  NEEDS_PASSWORD: ["password", "This network needs a password.", "Type it."],
  OLD_SECURITY: ["network", "This network’s security (WEP or WPA) is too old for the device.", "Switch its router to WPA2, or choose another network."],
  ENTERPRISE: ["network", "This network asks for a user name, which the device cannot give.", "Choose one that needs a password alone, a guest network for example."],
  NO_ADDRESS: ["network", "The network let the device in, but gave it no address.", "Restart the router, or choose another network."],
  MISSING_ELEMENTS: ["check", "Something is missing in the cloud details.", "Fill it in, or choose the product file."],
  INVALID_VALUE: ["check", "The device does not accept these settings.", "Correct them, or choose the product file again."],
  INVALID_JSON: ["check", "The settings arrived damaged.", "Try again."],
  TOO_LARGE: ["check", "The settings are too large for the device.", "Leave out certificates that are not needed."],
  CHECKSUM_FAILED: ["check", "The settings arrived damaged.", "Try again."],
  MISSING_PACKETS: ["check", "Part of the settings did not arrive.", "Move nearer to the device and try again."],
  BUSY: ["check", "The device is still busy with the last attempt.", "Wait half a minute and try again."],
  STORAGE_FAILED: ["check", "The device could not save the settings.", "Unplug it, plug it in again, and try once more. If that does not help, it is broken."],
  TIMEOUT: ["check", "The device took too long.", "Try again."],
  INVALID_REQUEST: ["check", "The device did not understand.", "Reload this page to get its latest version."],
  UNKNOWN_FAILURE: ["check", "Something went wrong in the device.", "Try again. If that does not help, unplug it and start over."],
};

/** For a result's name and the device's own detail: {step, text}. */
export function forResult(result, detail = "") {
  const [step, what, remedy] = WORDS[result] ?? WORDS.UNKNOWN_FAILURE;
  if (step !== "check" || !detail) return { step, text: `${what} ${remedy}` };
  const place = detail.startsWith("wifi[0].password") ? "password" : detail.startsWith("wifi") ? "network" : step;
  return { step: place, text: `${what} ${remedy} (${detail})` };
}

/** Why a device is here again: an error of its status from before its last restart; "" where there is none. */
export function lastTime(error) {
  if (error?.name !== "NOT_REACHED") return "";
  return `With its last settings the device did not reach its cloud (${error.detail}). Correct them, and send them once more.`;
}

export const UNREACHABLE = "The device does not answer. Is it powered on, and near? A device that is set up already has to be reset first.";
export const NOTHING_CHOSEN = "No device was chosen. If yours was not in the list, check that Bluetooth is on, that the device is powered on and near, and that no other phone is connected to it.";
export const BLUETOOTH_OFF = "Bluetooth is off. Switch it on in the settings of your phone or computer, then try again.";
export const NOT_ALLOWED = "The browser may not use Bluetooth. Allow it in the browser’s or the phone’s settings (on Android, Nearby devices or Location, too), then try again.";
export const RECONNECTING = "The connection was lost. Connecting again …";
export const RECONNECTED = "Connected again.";
export const GAVE_UP = "The device cannot be reached any more. Move nearer to it; if it was unplugged, plug it in. Then go back to the first step and find it again.";

/** Why this browser cannot: {text, todo}, or null where it can. */
export function unsupported(scope = globalThis) {
  if (!scope.isSecureContext) {
    return { text: "Bluetooth works on secure pages alone.", todo: "Open this page with https:// in its address, as it stands here:" };
  }
  if (scope.navigator.bluetooth && scope.crypto?.subtle) return null;
  const agent = scope.navigator.userAgent;
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && scope.navigator.maxTouchPoints > 1)) {
    return {
      text: "Safari, and every other browser on iPhone and iPad, lacks Web Bluetooth.",
      todo: "Get the app Bluefy from the App Store and paste this address there; or open it in Chrome, on an Android phone or a computer.",
    };
  }
  if (/Firefox/.test(agent)) {
    return { text: "Firefox lacks Web Bluetooth.", todo: "Open this address in Chrome or Edge." };
  }
  return {
    text: "This browser lacks Web Bluetooth.",
    todo: "Open this address in Chrome or Edge, on Android or a computer. In Brave and on Linux it may have to be switched on first: see chrome://flags, Web Bluetooth.",
  };
}

/** A signal's strength: {bars: 1 to 4, text}. */
export function signal(rssi) {
  if (rssi >= -55) return { bars: 4, text: "Excellent signal" };
  if (rssi >= -67) return { bars: 3, text: "Good signal" };
  if (rssi >= -75) return { bars: 2, text: "Fair signal" };
  return { bars: 1, text: "Weak signal" };
}

const SECURITY = { open: "open", wep: "WEP", wpa: "WPA", wpa2: "WPA2", wpa3: "WPA3", enterprise: "needs a user name" };

export function security(kind) {
  return SECURITY[kind] ?? "secured";
}

/** How the search for networks stands, from the device's status. */
export function search({ scanning, networks }) {
  if (scanning || !networks) return "Searching …";
  return networks.length ? "" : "No networks found. Move the device nearer to the router and search again.";
}

/** What the device is at, from its progress; null where there is nothing to tell. */
export function progress({ step, ssid } = {}) {
  return {
    receiving: "Sending the settings",
    checking: "Checking the settings",
    joining: `Joining ${ssid}`,
    storing: "Saving",
    restarting: "Restarting",
  }[step] ?? null;
}
