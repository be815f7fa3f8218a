"""Runs test files in MicroPython: `async def main(names)`, in the VM under Node or on the unix port.

Prints for each test `PASSED file::test`, or `FAILED file::test` and the traceback; then `N passed, M failed`.
"""

import asyncio
import gc
import io
import sys

_GC_THRESHOLD = 16384  # as iot.system sets it: what is left of a test must not be scattered over the heap
_DEADLINE_MS = 200_000  # the same as under pytest


def _traceback(error):
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue().strip()


async def _run(function):
    """Run one test; return what went wrong, or None."""
    stray = []  # errors of tasks that nobody awaited
    asyncio.get_event_loop().set_exception_handler(lambda loop, context: stray.append(context["exception"]))
    try:
        coroutine = function()
        if coroutine is not None:
            await asyncio.wait_for_ms(coroutine, _DEADLINE_MS)
            await asyncio.sleep_ms(0)  # a task that failed at the very end is reported on the next turn
    except (Exception, asyncio.CancelledError) as error:
        return error
    return stray[0] if stray else None


async def main(names):
    gc.threshold(_GC_THRESHOLD)
    passed = failed = 0
    for name in names:
        module = __import__(name)
        for test in sorted(dir(module)):
            if not test.startswith("test_"):
                continue
            error = await _run(getattr(module, test))
            if error is None:
                passed += 1
                print(f"PASSED {name}::{test}")
            else:
                failed += 1
                print(f"FAILED {name}::{test}")
                print(_traceback(error))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
