#!/usr/bin/env bash
# Guess:    an Improv packet is found by its header and its length, whatever its bytes are.
# Reality:  one whose length is 10 is lost. Up to the ninth byte of a header, which is the length, a byte of 10 is
#           taken for the end of a line, and what was read of the packet is forgotten. The command runs into its
#           timeout.
# Version:  improv-wifi-serial-sdk 2.8.1 (npm); ESP Web Tools 10.4.0 has 2.8.0
# Source:   src/serial.ts, _processInput(): `if (byte === 10) { line = []; continue; }` comes before the header's end
# Whom:     devices whose answer has 7 bytes of text: a name, a host name, a short URL. Those work with all other lengths.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts improv-wifi-serial-sdk@2.8.1
dist=node_modules/improv-wifi-serial-sdk/dist
# Node.js takes the names of modules as they are.
find $dist -name '*.js' -exec sed -i -E '/^import/s#"(\./[a-z/-]+)";#"\1.js";#' {} +
echo '{"type": "module"}' | tee package.json >node_modules/improv-wifi-serial-sdk/package.json
cat >try.js <<'JS'
import { ImprovSerial } from "./node_modules/improv-wifi-serial-sdk/dist/serial.js";

const HEADER = [...Buffer.from("IMPROV\x01")];
const packet = (data) => {
  const whole = [...HEADER, 4, data.length, ...data];
  return Uint8Array.from([...whole, whole.reduce((sum, byte) => sum + byte, 0) & 255, 10]);
};
const quiet = { log() {}, error() {}, debug() {} };
for (const size of [6, 7, 8]) {
  let answer;
  const port = {
    readable: new ReadableStream({ start: (controller) => { answer = (data) => controller.enqueue(packet(data)); } }),
    writable: new WritableStream({ write: () => answer([6, size + 1, size, ...Buffer.from("x".repeat(size))]) }),
  };
  const client = new ImprovSerial(port, quiet);
  client._processInput();
  const name = await client.getDeviceName(1000).catch((error) => error);
  console.log(`data of ${size + 3} bytes: ${name}`);
}
process.exit(0);
JS
timeout 60 node try.js | tee seen
diff seen - <<'END'
data of 9 bytes: xxxxxx
data of 10 bytes: TIMEOUT
data of 11 bytes: xxxxxxxx
END
