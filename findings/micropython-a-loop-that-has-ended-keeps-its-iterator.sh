#!/usr/bin/env bash
# Guess:    a `for` loop that has ended lets go of what it went through; a generator that is suspended, and so
#           each task that waits, keeps its variables alive and no more.
# Reality:  the iterator stays on the evaluation stack, above where that ends now, and the garbage collector
#           looks through the whole frame: with a generator for an iterator all that its frame has is kept, too.
#           It lasts until other values come to that height of the stack: in a task that loops once and then
#           waits, for hours. gc.collect() does not help; CPython frees it at once. What helps: the loop in a
#           generator of its own (`yield from`, `await`), whose frame goes with it.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0)
# Source:   py/vm.c pops by moving the stack pointer, and keeps an iterator in four places of the stack
#           (MP_OBJ_ITER_BUF_NSLOTS); py/gc.c knows no end of a frame but that of its memory
# Whom:     asyncio programs that let go of modules and buffers: a console's task kept the code of its last
#           command, on an ESP32 (emulated) some 2 KB of 92.
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

def items():
    data = bytes(50000)
    yield len(data)

def own():
    def work():
        for one in items(): pass
        yield from ()
    yield from work()
    yield

def loop():
    for one in items(): pass
    yield
`);
for (const name of ["own", "loop", "own", "loop"]) {
  vm.runPython("gc.collect()\nbefore = gc.mem_alloc()");
  vm.runPython(`waiting = ${name}()\nnext(waiting)`);
  vm.runPython("gc.collect()\nkept = gc.mem_alloc() - before > 40000");
  vm.runPython(`print("${name}:", "kept alive" if kept else "freed")\nwaiting = None`);
}
JS
node look.mjs | tee seen
diff seen - <<'END'
own: freed
loop: kept alive
own: freed
loop: kept alive
END
