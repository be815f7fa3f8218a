#!/usr/bin/env bash
# Guess:    a text that stands in many modules, such as a module's name or an event's, is in memory once, or as
#           often as it stands there, whatever its length.
# Reality:  up to 10 characters it is a name, and all modules have it once. With 11 each module has an object of
#           its own: 32 bytes, and 48 from 16 characters on. So the 11th character makes the same text in twenty
#           modules take 640 bytes instead of none.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0)
# Source:   py/parse.c, push_result_token: `lex->vstr.len <= MICROPY_ALLOC_PARSE_INTERN_STRING_LEN` (mpconfig.h: 10)
# Whom:     who divides a program for a chip into many modules: topics, names of events and of modules to import
#           later are mostly longer. The other way round, a text that is a name is never given back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
cat >look.mjs <<'JS'
import "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const vm = await loadMicroPython({});

function used() {
  vm.runPython("import gc\ngc.collect()"); // this VM collects at the end of a run
  vm.runPython("used = gc.mem_alloc()");
  return vm.globals.get("used");
}

/** Bytes that 20 modules with this value take. */
function taken(value) {
  for (let n = 0; n < 20; n++) vm.FS.writeFile(`/module${n}.py`, `def told():\n    return ${value}\n`);
  const before = used();
  vm.runPython("for n in range(20): __import__('module%d' % n)");
  const bytes = used() - before;
  vm.runPython("import sys\nfor n in range(20): del sys.modules['module%d' % n]");
  return bytes;
}

vm.runPython("import sys\nsys.path.append('/')");
const alphabet = "abcdefghijklmnopqrstuvwxyz";
taken("'name'"); // what modules and files are called stays from now on
for (const length of [8, 10, 11, 15, 16, 26]) {
  const text = `'${alphabet.slice(0, length)}'`;
  taken(text);
  console.log(`${length} characters: ${(taken(text) - taken("1234567")) / 20} bytes in each of 20 modules`);
}
JS
node look.mjs | tee seen
diff seen - <<'END'
8 characters: 0 bytes in each of 20 modules
10 characters: 0 bytes in each of 20 modules
11 characters: 32 bytes in each of 20 modules
15 characters: 32 bytes in each of 20 modules
16 characters: 48 bytes in each of 20 modules
26 characters: 48 bytes in each of 20 modules
END
