#!/usr/bin/env bash
# Guess:    a file that is renamed before it is closed keeps what was written to it, as on every PC; or the
#           rename, the write or the close says that it cannot be.
# Reality:  littlefs renames the entry as flash has it, empty, and the close puts nothing there: the file has
#           0 bytes under its new name, and no call has failed. Closed first, all of it is there.
# Version:  littlefs-python 0.19.0 (littlefs 2.11); the same on MicroPython 1.25's VfsLfs2 (littlefs 2.8)
# Source:   lfs.c: lfs_rename deletes the old entry, which gives files that are open there a pair of nulls, and
#           lfs_file_sync commits nothing where it meets that
# Whom:     whoever replaces a file whole by write, rename and close, and has tried it on a PC: a device's
#           configurations and certificates are empty after the next start.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check littlefs-python==0.19.0
"$folder/venv/bin/python" - <<'PY'
import sys

from littlefs import LittleFS


def size(close_first):
    flash = LittleFS(block_size=4096, block_count=32)
    file = flash.open("settings.new", "wb")
    file.write(b"x" * 100)
    if close_first:
        file.close()
    flash.rename("settings.new", "settings")
    file.close()
    return flash.stat("settings").size


late, first = size(close_first=False), size(close_first=True)
print(f"100 bytes written; renamed, then closed: {late} bytes; closed, then renamed: {first} bytes")
sys.exit((late, first) != (0, 100))
PY
