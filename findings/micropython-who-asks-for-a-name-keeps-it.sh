#!/usr/bin/env bash
# Guess:    hasattr(thing, name) with a name that nothing has leaves nothing behind; at worst some bytes for it.
# Reality:  the name is interned for ever, garbage collection or not; and all names are in tables that double:
#           the one that finds the last table full has a new one made, in one piece. So one look-up of a few
#           characters takes thousands of bytes at once, and each later table is twice as large.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0)
# Source:   py/qstr.c, qstr_add: `new_alloc = MP_STATE_VM(last_pool)->alloc * 2`; pools are never given back
# Whom:     who looks up attributes by names that come from outside (JSON, commands), and whoever runs near the
#           end of a heap: on an ESP32 the 621st name asks for 4.5 KB in one piece, and a heap that has them only
#           in smaller ones grows, out of what TLS needs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
cat >look.mjs <<'JS'
import "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const vm = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true });
vm.runPython(`
import gc

def look(count):
    gc.collect()
    before = gc.mem_alloc()
    jumps = []
    for number in range(count):
        name = "name%d" % number
        gc.collect()
        last = gc.mem_alloc()
        hasattr(None, name)
        if gc.mem_alloc() - last > 1000:
            jumps.append(gc.mem_alloc() - last)
    name = None
    gc.collect()
    return gc.mem_alloc() - before, jumps

kept, jumps = look(1500)
again, none = look(1500)
print("1500 names that nothing has:", "kept" if kept > 15000 else "let go")
print("tables of over 1000 bytes at once:", len(jumps) > 1, "each about twice the last:", all([1.7 < b / a < 2.3 for a, b in zip(jumps, jumps[1:])]))
print("the same names again:", "nothing more" if again < 1000 and not none else "more")
`);
JS
node look.mjs | tee seen
diff seen - <<'END'
1500 names that nothing has: kept
tables of over 1000 bytes at once: True each about twice the last: True
the same names again: nothing more
END
