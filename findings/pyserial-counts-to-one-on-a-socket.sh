#!/usr/bin/env bash
# Guess:    in_waiting is the number of bytes that wait, on socket:// as on a port: read(in_waiting) takes them all.
# Reality:  on socket:// it is 1 if there is anything, so the usual loop takes one byte a turn: a hundred bytes are
#           a hundred calls, each with a select and a recv of one byte. rfc2217:// counts truly.
# Version:  pyserial 3.5 (PyPI)
# Source:   serial/urlhandler/protocol_socket.py, in_waiting: `return len(lr)`, the list that select() gave back
# Whom:     tools for boards behind ser2net, Wokwi or an emulator: the console is slow there, and a check such as
#           `if port.in_waiting >= 4` never comes true.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check pyserial==3.5
cat >look.py <<'PY'
import os
import pty
import socket
import time

import serial

LINE = b"ok 21.5 C\r\n" * 9


def waits(port):
    """What it says of the bytes that have been sent, and the reads it takes to have them."""
    time.sleep(0.5)
    said, reads, got = port.in_waiting, 0, b""
    while got != LINE:
        got += port.read(port.in_waiting or 1)
        reads += 1
    return f"{said} of {len(LINE)} bytes wait, {reads} reads"


listener = socket.create_server(("127.0.0.1", 0))
port = serial.serial_for_url(f"socket://127.0.0.1:{listener.getsockname()[1]}", timeout=5)
listener.accept()[0].sendall(LINE)
print("socket:", waits(port))
board, name = pty.openpty()
port = serial.serial_for_url(os.ttyname(name), timeout=5)
os.write(board, LINE)
print("a terminal:", waits(port))
PY
timeout 60 venv/bin/python look.py | tee seen
diff seen - <<'END'
socket: 1 of 99 bytes wait, 99 reads
a terminal: 99 of 99 bytes wait, 1 reads
END
