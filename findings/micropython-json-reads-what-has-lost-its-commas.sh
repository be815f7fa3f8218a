#!/usr/bin/env bash
# Guess:    json.loads raises ValueError for what is no JSON, on the device as on a computer.
# Reality:  commas and colons are blanks to it: what lacks them, or has too many of them, is read without a word, and
#           a pair of values without a colon becomes a member. A list of keys can so come out as a dict.
# Version:  MicroPython 1.27.0, the VM in WebAssembly (npm: @micropython/micropython-webassembly-pyscript 1.27.0)
# Source:   extmod/modjson.c, mod_json_load: `case ',': case ':': … S_NEXT(s); goto cont;`
# Whom:     devices that take settings or orders as JSON and count on its syntax to find a damaged text; and tests
#           on CPython, where the same texts raise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 >/dev/null
cat >texts.py <<'PY'
import json

for text in ('[21.5 22.0]', '{"led" true}', '{"on", 1, "off", 0}', '[1,, 2,]', '{"a": 1 "b": 2}', '[:7:]'):
    try:
        print(text, "->", json.loads(text))
    except ValueError:
        print(text, "-> ValueError")
PY
cat >look.mjs <<'JS'
import { readFileSync } from "node:fs";
import "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const vm = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true });
vm.runPython(readFileSync("texts.py", "utf8"));
JS
{ echo "MicroPython"; node look.mjs; echo "CPython"; python3 texts.py; } | tee seen
diff seen - <<'END'
MicroPython
[21.5 22.0] -> [21.5, 22.0]
{"led" true} -> {'led': True}
{"on", 1, "off", 0} -> {'on': 1, 'off': 0}
[1,, 2,] -> [1, 2]
{"a": 1 "b": 2} -> {'a': 1, 'b': 2}
[:7:] -> [7]
CPython
[21.5 22.0] -> ValueError
{"led" true} -> ValueError
{"on", 1, "off", 0} -> ValueError
[1,, 2,] -> ValueError
{"a": 1 "b": 2} -> ValueError
[:7:] -> ValueError
END
