# The prompt of a chip whose main.py has ended: the friendly one, a line at a time, and the raw REPL with
# raw paste, which programs speak. The world is told when it waits: then Ctrl-C is a character like others.

import io
import sys

import _world

_BANNER = "MicroPython v{} on 2025-04-15; Generic ESP32 module with ESP32\n"
_HELP = 'Type "help()" for more information.\n>>> '
_RAW = "raw REPL; CTRL-B to exit\n>"
_WINDOW_BYTES = 128
_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D = b"\x01", b"\x02", b"\x03", b"\x04"
_RAW_PASTE = b"\x05A"  # and Ctrl-A


class SoftReset(Exception):
    """Ctrl-D at a prompt."""


def run(namespace, raw):
    """Serve until a soft reset, which ends the program; raw: in the raw REPL, as after one from there."""
    _world.call("prompt", True, raw)
    try:
        if raw:
            sys.stdout.write(_RAW)
        else:
            _greet()
        while True:
            try:
                raw = _raw(namespace) if raw else _friendly(namespace)
            except KeyboardInterrupt:  # came when the code had just ended
                sys.stdout.write(_RAW if raw else "\n>>> ")
            _world.call("prompt", True, raw)
    except SoftReset:
        pass


def _greet():
    version = ".".join([str(part) for part in sys.implementation.version[:3]])
    sys.stdout.write(_BANNER.format(version) + _HELP)


def _friendly(namespace):
    """Lines, until Ctrl-A asks for the raw REPL."""
    line = b""
    while True:
        byte = _read()
        if byte == _CTRL_A:
            sys.stdout.write("\n" + _RAW)
            return True
        if byte == _CTRL_D and not line:
            sys.stdout.write("\nMPY: soft reboot\n")
            raise SoftReset
        if byte in (_CTRL_B, _CTRL_C):
            line = b""
            if byte == _CTRL_B:
                sys.stdout.write("\n")
                _greet()
            else:
                sys.stdout.write("\n>>> ")
        elif byte in b"\r\n":
            sys.stdout.write("\n")
            if line.strip():
                sys.stdout.write(_execute(line, namespace, False))
            line = b""
            sys.stdout.write(">>> ")
        elif byte in (b"\x08", b"\x7f"):
            line = line[:-1]
        else:
            line += byte
            _out(byte)


def _raw(namespace):
    """Programs, each up to its Ctrl-D, until Ctrl-B asks for the friendly prompt."""
    code = b""
    while True:
        byte = _read()
        if byte == _CTRL_B:
            sys.stdout.write("\n")
            _greet()
            return False
        if byte == _CTRL_A:
            if code == _RAW_PASTE:
                _raw_paste(namespace)
            else:
                sys.stdout.write(_RAW)
            code = b""
        elif byte == _CTRL_C:
            code = b""
        elif byte == _CTRL_D:
            if not code:
                sys.stdout.write("OK\nMPY: soft reboot\n")
                raise SoftReset
            _reply("OK", code, namespace)
            code = b""
        else:
            code += byte


def _raw_paste(namespace):
    """As raw, but a window of input is granted whenever one is used up."""
    _out(b"R\x01" + bytes([_WINDOW_BYTES & 0xFF, _WINDOW_BYTES >> 8]) + b"\x01")
    code = bytearray()
    while True:
        byte = _read()
        if byte == _CTRL_D:
            break
        if byte == _CTRL_C:
            sys.stdout.write("\x04\x04\x04>")
            return
        code += byte
        if len(code) % _WINDOW_BYTES == 0:
            _out(b"\x01")
    _reply("\x04", bytes(code), namespace)


def _reply(ready, code, namespace):
    """Say that it is `ready`, run the code, and reply; that a Ctrl-C comes at any moment changes nothing."""
    error = "KeyboardInterrupt: \n"
    try:
        _world.call("prompt", False, True)  # before the other side may send Ctrl-C
        sys.stdout.write(ready)
        error = _execute(code, namespace, True)
    except KeyboardInterrupt:
        pass
    _world.call("prompt", True, True)
    sys.stdout.write("\x04" + error + "\x04>")


def _execute(code, namespace, raw):
    """Run it; the traceback, if any. An expression of a line is shown."""
    _world.call("prompt", False, raw)
    try:
        try:
            text = code.decode()
            if raw:
                exec(compile(text, "<stdin>", "exec"), namespace)
                return ""
            try:
                expression = compile(text, "<stdin>", "eval")
            except SyntaxError:
                exec(compile(text, "<stdin>", "exec"), namespace)
                return ""
            value = eval(expression, namespace)
            if value is not None:
                print(repr(value))
            return ""
        except SystemExit:
            sys.stdout.write("\nMPY: soft reboot\n")
            raise SoftReset
        except (Exception, KeyboardInterrupt) as error:
            trace = io.StringIO()
            sys.print_exception(error, trace)
            return trace.getvalue()
    finally:
        _world.call("prompt", True, raw)


def _read():
    byte = sys.stdin.buffer.read(1)
    if not byte:
        raise SoftReset
    return byte


def _out(data):
    sys.stdout.buffer.write(data)
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()
