# Interrupts of the simulated chip. They come from the world on a line of their own, which a task of the loop
# that runs reads, as Bluetooth's do: they reach a program while it waits, there or in `time.sleep`.

import asyncio
import sys

import _world

_handlers = {}  # (what, its number) -> function without arguments
_line = []  # the line, and its stream where a task reads it


def on(what, number, handler):
    """Have `handler()` called for this interrupt; None for nobody."""
    if handler is None:
        _handlers.pop((what, number), None)
        return
    _handlers[what, number] = handler
    if not _line:
        _line.append(_world.listen("part_line", 0))
    if len(_line) == 1:
        try:
            asyncio.current_task()
        except RuntimeError:  # no loop runs as yet: `wait` takes them
            return
        _line.append(asyncio.create_task(_listen(_line[0])))


def wait(sleep_ms, ms):
    """Sleep, and take what comes meanwhile where no task does."""
    if len(_line) != 1:
        sleep_ms(ms)
        return
    import time

    end = time.ticks_add(time.ticks_ms(), ms)
    rest = b""
    while (left := time.ticks_diff(end, time.ticks_ms())) > 0 or rest:
        part = _line[0].read(256)
        if not part:
            sleep_ms(max(1, min(left, 5)))
            continue
        rest += part
        while b"\n" in rest:
            line, rest = rest.split(b"\n", 1)
            _handle(line)
            _line[0].write(b"\n")


async def _listen(line):
    stream = asyncio.StreamReader(line)
    while True:
        event = await stream.readline()
        if not event:
            return  # the world is gone
        _handle(event)
        stream.write(b"\n")
        await stream.drain()


def _handle(event):
    what, number = _world.loads(event)
    handler = _handlers.get((what, number))
    if handler:
        try:
            handler()
        except Exception as error:
            print("Unhandled exception in callback handler")
            sys.print_exception(error)
