#!/usr/bin/env bash
# Guess:    who catches serial.SerialException, or OSError, catches a board whose cable is pulled.
# Reality:  read and write raise SerialException, in_waiting a bare OSError, and flush, reset_input_buffer and
#           reset_output_buffer termios.error, which is no OSError either: it passes both.
# Version:  pyserial 3.5 (PyPI), on Linux
# Source:   serial/serialposix.py: read and write wrap what select, os.read and os.write raise; in_waiting (fcntl.ioctl),
#           flush (tcdrain) and the two resets (tcflush) wrap nothing. termios.error derives from Exception.
# Whom:     tools that discard old input before they speak to a board, as esptool does: where the board goes at that
#           moment, a USB device that resets for instance, the user sees a traceback instead of the tool's own word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check pyserial==3.5
cat >look.py <<'PY'
import os
import pty

import serial

board, name = pty.openpty()
port = serial.Serial(os.ttyname(name), timeout=5)
os.close(name)
os.close(board)
calls = {
    "read": port.read,
    "write": lambda: port.write(b"\r"),
    "in_waiting": lambda: port.in_waiting,
    "flush": port.flush,
    "reset_input_buffer": port.reset_input_buffer,
    "reset_output_buffer": port.reset_output_buffer,
}
for name, call in calls.items():
    try:
        call()
        print(name, "works")
    except Exception as error:
        kinds = [kind.__name__ for kind in (serial.SerialException, OSError) if isinstance(error, kind)]
        print(f"{name}: {type(error).__module__}.{type(error).__name__}: {' and '.join(kinds) or 'neither'}")
PY
timeout 60 venv/bin/python look.py | tee seen
diff seen - <<'END'
read: serial.serialutil.SerialException: SerialException and OSError
write: serial.serialutil.SerialException: SerialException and OSError
in_waiting: builtins.OSError: OSError
flush: termios.error: neither
reset_input_buffer: termios.error: neither
reset_output_buffer: termios.error: neither
END
