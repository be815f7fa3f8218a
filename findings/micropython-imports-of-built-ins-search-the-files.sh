#!/usr/bin/env bash
# Guess:    the second `import time` finds `time` in sys.modules and costs nothing, as in CPython.
# Reality:  a built-in module that a file may stand for (time, os, json, struct, random, …) never gets into
#           sys.modules: each import statement asks every file system of sys.path for a folder, a .py and a .mpy
#           of that name again, three look-ups a folder. A built-in that no file may stand for costs nothing.
#           What helps: `sys.modules["time"] = time`.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0)
# Source:   py/builtinimport.c, process_import_at_level: extensible built-ins are looked up after the search,
#           and not registered.
# Whom:     boards with littlefs. On an ESP32 (emulated, two folders in sys.path) each costs 8 to 15 ms: forty
#           modules with five such imports spend two seconds of their start on names that are not there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
cat >look.mjs <<'JS'
import "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const vm = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true });
vm.runPython(`
import sys, vfs

class Empty:
    asked = []
    def mount(self, readonly, mkfs): pass
    def umount(self): pass
    def stat(self, path):
        self.asked.append(path)
        raise OSError(2)

vfs.mount(Empty(), "/empty")
sys.path[:] = ["/empty"]

def asked_for(statement):
    Empty.asked.clear()
    exec(statement)
    return len(Empty.asked)

print("import time:", [asked_for("import time") for _ in range(3)], "time" in sys.modules)
print("import gc:", [asked_for("import gc") for _ in range(3)], "gc" in sys.modules)
import time
sys.modules["time"] = time
print("import time, once it is in sys.modules:", asked_for("import time"))
`);
JS
node look.mjs | tee seen
diff seen - <<'END'
import time: [3, 3, 3] False
import gc: [0, 0, 0] False
import time, once it is in sys.modules: 0
END
