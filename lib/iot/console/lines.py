"""Line commands over the serial port, in every mode and without the REPL.

A line is a command and its argument, answered by one line, `= ok …` or `= error …`, among those of the log.
Improv's packets come among them, from a browser that has flashed the board.
"""

from micropython import const

_LINE_MAX = const(240)  # the UART's ring buffer holds 260 bytes
_CTRL_C = const(b"\x03")  # here only where MicroPython does not take it away: iot.transitions
_IMPROV = const(b"IMPROV\x01")  # what a packet begins with; a Ctrl-C follows, which is its type


async def run(stream, write, command):
    """Has commands carried out, for ever; returns where the input ends, which on a chip it never does.

    Args:
        stream: an asyncio.StreamReader on sys.stdin.buffer: sys.stdin would hold the loop at a byte of noise
            until what that promises of a character has come.
        write: called with text, of which it adds nothing: sys.stdout.write.
        command: coroutine function that takes a command's name and its argument and returns the answer's
            text, or its pieces; whatever it raises is answered, too. For a packet of Improv's: None and the
            stream, from which it reads the rest.
    """
    # Each in a frame of its own: a loop that has ended leaves its iterator, and so a command's code, on the
    # frame's stack.
    while await _one(stream, write, command):
        pass


async def _one(stream, write, command):
    """Has one command carried out; False where the input has ended."""
    begun = ""
    try:
        line = await _line(stream)
        if line is None:
            return False
        name, _, argument = line.partition(" ") if line else (None, None, stream)
        answer = await command(name, argument)
        begun = "\n"
        write("= ok ")
        for piece in (answer,) if isinstance(answer, str) else answer:
            write(piece)  # at once: what is whole takes a large piece of the heap
        write("\n")
    except Exception as error:  # the console is the last way to a device: no command may end it
        text = str(error)
        if not text or not isinstance(error, (ValueError, OSError, MemoryError)):  # a mistake of ours
            text = type(error).__name__ + ": " + text
        write(begun + "= error ")
        write(text + "\n")
    return True


async def _line(stream):
    """The next line that is not empty, without its end; None where the input ends, "" where a packet of
    Improv's begins. ValueError for one too long, or not in UTF-8.

    Ctrl-C drops what there is of a line; it is a KeyboardInterrupt where there is nothing.
    """
    length = 0
    while True:
        # readline() would block on the chip until the line is whole.
        byte = await stream.read(1)
        if not byte:
            return None
        if byte not in b"\r\n\x03":
            if not length:
                line = bytearray(_LINE_MAX)
            if length < _LINE_MAX:
                line[length] = byte[0]
            length += 1
        elif byte == _CTRL_C:
            if not length:
                raise KeyboardInterrupt
            if line[length - 7 : length] == _IMPROV:
                return ""
            length = 0
        elif length > _LINE_MAX:
            raise ValueError("a line has at most {} bytes, this one {}".format(_LINE_MAX, length))
        elif length:
            return str(memoryview(line)[:length], "utf-8")
