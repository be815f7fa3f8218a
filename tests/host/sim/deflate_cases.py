"""Prints what `deflate` makes of data, in whichever Python runs this: `async def main(files)`."""

import binascii
import io

import deflate  # type: ignore[import-not-found]

_SIZES = (1, 3, 16, 0, 100, 1000)


def texts_of(stream, source):
    """What reads of several kinds give, each with how much of the source that took."""
    for size in _SIZES:
        buffer = bytearray(size)
        yield stream.readinto(buffer), source.tell()
        yield buffer, source.tell()
    for size in _SIZES:
        yield stream.read(size), source.tell()
    yield stream.readline(), source.tell()
    yield stream.read(), source.tell()
    yield stream.read(), source.tell()
    yield stream.read(4), source.tell()


def at_once(stream, source):
    yield stream.read(), source.tell()
    stream.close()
    yield source.tell(), "closed"
    yield stream.read(1), "is an error"


def run(lines):
    """Each line: the arguments behind the stream, a blank, the data in hex. The first error ends a stream."""
    for line in lines:
        arguments, data = line.split(" ")
        print(line[:40], len(data))
        for way in (at_once, texts_of):
            try:
                source = io.BytesIO(binascii.unhexlify(data))
                stream = deflate.DeflateIO(source, *[int(argument) for argument in arguments.split(",")])
                for value, where in way(stream, source):
                    print(value if isinstance(value, int) else binascii.hexlify(value).decode(), where)
            except OSError as error:
                print("OSError", error.errno)
            except (EOFError, ValueError) as error:
                print(type(error).__name__, error)


async def main(files):
    with open(files[0]) as file:
        run([line.rstrip("\n") for line in file])
    return 0
