"""Line commands over the serial port, in every mode and without the REPL.

A line is a command and its argument, answered by one line, `= ok …` or `= error …`, among those of the log.
"""

from micropython import const

_LINE_MAX = const(240)  # the UART's ring buffer holds 260 bytes


async def run(stream, write, command):
    """Has commands carried out, for ever; returns where the input ends, which on a chip it never does.

    Args:
        stream: an asyncio.StreamReader on sys.stdin, whose `read` gives text.
        write: called with text, of which it adds nothing: sys.stdout.write.
        command: coroutine function that takes a command's name and its argument and returns the answer's
            text, or its pieces; a ValueError, OSError or MemoryError is answered, too.
    """
    length = 0
    while True:
        # readline() would block on the chip until the line is whole.
        character = await stream.read(1)
        if not character:
            return
        if character not in "\r\n":
            if not length:
                line = bytearray(_LINE_MAX)
            for byte in character.encode():
                if length < _LINE_MAX:
                    line[length] = byte
                length += 1
        elif length:
            begun = ""
            try:
                if length > _LINE_MAX:
                    raise ValueError("a line has at most {} bytes, this one {}".format(_LINE_MAX, length))
                name, _, argument = str(memoryview(line)[:length], "utf-8").partition(" ")
                answer = await command(name, argument)
                begun = "\n"
                write("= ok ")
                for piece in (answer,) if isinstance(answer, str) else answer:
                    write(piece)  # at once: what is whole takes a large piece of the heap
                write("\n")
            except (ValueError, OSError, MemoryError) as error:  # ValueError: also bad UTF-8
                write("{}= error {}\n".format(begun, error))
            line = answer = piece = None  # which would keep the command's code in memory
            length = 0
