// Keeps the page on the phone: where a device is set up there may be no network yet.

const VERSION = "7eb6691a"; // of the files below, and a test's to check: a changed file needs another
const CACHE = `setup-${VERSION}`;
const FILES = [
  "./", "common.css", "style.css", "icon.svg", "manifest.webmanifest", "app.js", "certificates.js", "client.js", "clouds.js", "connection.js", "device.js",
  "elsewhere.js", "frames.js", "label.js", "networks.js", "password.js", "product.js", "protocol.js", "sending.js", "secrets.js",
  "session.js", "steps.js", "words.js",
];
const FRESH = "product.json"; // asked for anew each time; the last one serves without a network

self.addEventListener("install", (event) => {
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  const isFresh = url.href === new URL(FRESH, registration.scope).href;
  event.respondWith(isFresh ? fromNetwork(event.request) : fromCache(event.request));
});

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("setup-") && name !== CACHE).map((name) => caches.delete(name)));
}

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

async function fromNetwork(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.status === 200) await cache.put(request, answer.clone());
    else await cache.delete(request);
    return answer;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
