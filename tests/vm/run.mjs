// Runs one script in the real MicroPython VM (WebAssembly):
//
//     node run.mjs SCRIPT.py [--vm=VERSION] [--heap=BYTES] [HOST_FOLDER=VM_FOLDER]... [-- ARGUMENT...]
//
// The version is one of package.json's, else the oldest that device code is for. The heap has that size to start with,
// else 256 KB. The folders are copied into the VM's file system. The script's
// `async def main(arguments)` runs as an asyncio task; what it returns is the exit status.
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import v8 from "node:v8";

// V8 optimizes what has run for long; here most is over before that has paid.
v8.setFlagsFromString("--wasm-tiering-budget=100000000");

const [script, ...rest] = process.argv.slice(2);
const split = rest.includes("--") ? rest.indexOf("--") : rest.length;
const pairs = rest.slice(0, split).map((pair) => pair.split("="));
const folders = pairs.filter(([name]) => !name.startsWith("--"));
const option = (name, otherwise) => pairs.find(([given]) => given === name)?.[1] ?? otherwise;
const heapsize = Number(option("--heap", 256 * 1024));
await import(`micropython-${option("--vm", "1.25")}/micropython.mjs`); // which gives loadMicroPython to all
const scriptArguments = rest.slice(split + 1);

// Written at once: process.exit() would lose what console.log() still buffers.
const writeLine = (fd) => (line) => fs.writeSync(fd, line + "\n");

function copy(FS, from, to) {
  FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    const target = `${to}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== "__pycache__") copy(FS, source, target);
    } else {
      FS.writeFile(target, fs.readFileSync(source));
    }
  }
}

const vm = await loadMicroPython({
  heapsize, // grows where a task takes more before all tasks wait: only then it collects
  pystack: 8 * 1024,
  stdout: writeLine(1),
  stderr: writeLine(2),
});
for (const [from, to] of folders) copy(vm.FS, from, to);
vm.FS.writeFile(`/${path.basename(script)}`, fs.readFileSync(script));

// This file system has WASI's error numbers; the chip's are Linux's.
const linux = new Map([
  [20, 17], // EEXIST
  [31, 21], // EISDIR
  [44, 2], // ENOENT
  [54, 20], // ENOTDIR
  [55, 39], // ENOTEMPTY
]);
vm.FS.ErrnoError = class extends vm.FS.ErrnoError {
  constructor(errno) {
    super(linux.get(errno) ?? errno);
  }
};
// It looks for its own ENOENT before it makes a file, so that one has to be there already.
const open = vm.FS.open;
const O_CREAT = 64;
vm.FS.open = (file, flags, mode) => {
  if (flags & O_CREAT && !vm.FS.analyzePath(file).exists) vm.FS.mknod(file, 0o100666, 0);
  return open(file, flags, mode);
};

let ended = false;
// For cryptolib.py and os.py in shims, AES in ECB and random bytes: only numbers and text cross the border unharmed.
const encrypt = (key, data) => {
  const cipher = crypto.createCipheriv(`aes-${key.length * 4}-ecb`, Buffer.from(key, "hex"), null);
  return cipher.setAutoPadding(false).update(data, "hex", "hex");
};
vm.registerJsModule("host", {
  encrypt,
  random: (count) => crypto.randomBytes(count).toString("hex"),
  exit: (status) => {
    ended = true;
    process.exit(status);
  },
});
process.on("exit", () => {
  if (ended) return;
  writeLine(2)("the script never ended: every task waits for something that cannot happen");
  process.exitCode = 1;
});

// Of the VM's frozen modules asyncio alone is as on the chip: others (binascii, os, ...) hide what the chip has in C.
vm.runPython(`
import asyncio, host, sys
sys.path[:] = ["", "/lib", "/unit", "/vm"]
import ${path.basename(script, ".py")} as script

async def run():
    status = 1
    try:
        status = await script.main(${JSON.stringify(scriptArguments)})
    except BaseException as error:
        sys.print_exception(error, sys.stderr)
    host.exit(status)

asyncio.create_task(run())
`);
