#!/usr/bin/env bash
# Guess:    struct.pack raises for a number that its field cannot hold, and for fields without a number: as CPython
#           does, and as int.to_bytes does on MicroPython since 1.25.
# Reality:  it packs the low bytes and goes on, negative numbers into unsigned fields included; fields for which no
#           number was given are zeros. Nothing tells a full scale from a small value.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0)
# Source:   py/binary.c, mp_binary_set_val: no range is looked at; extmod/modstruct.c: "argument count is not checked"
# Whom:     devices that pack readings (advertisements of Bluetooth LE, LoRa, Modbus, their own flash): 300 pulses
#           arrive as 44, and a test of the same code on CPython raises.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
cat >look.mjs <<'JS'
import "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const vm = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true });
vm.runPython(`
import struct

def told(what):
    try:
        return what()
    except Exception as error:
        return type(error).__name__

print("300 in a byte:", struct.unpack("B", struct.pack("B", 300))[0])
print("-1 in an unsigned word:", struct.unpack("<H", struct.pack("<H", -1))[0])
print("two fields, one number:", struct.unpack("BB", struct.pack("BB", 7)))
print("to_bytes of 300:", told(lambda: (300).to_bytes(1, "big")))
`);
JS
node look.mjs | tee seen
diff seen - <<'END'
300 in a byte: 44
-1 in an unsigned word: 65535
two fields, one number: (7, 0)
to_bytes of 300: OverflowError
END
