"""`_thread` of the simulated chip: a thread's stack is a block of ESP-IDF's heap until the thread ends."""

import _thread
from _thread import LockType, allocate_lock, exit, get_ident

import _world

_STACK_BYTES = 5120  # where nothing else is asked for
_STACK_LEAST = 4096
_asked = [0]


def stack_size(*size):
    """Set the bytes of the next threads' stacks, 0 for the default; returns what was set before."""
    before, _asked[0] = _asked[0], size[0] if size else 0
    return before


def start_new_thread(function, args, kwargs=None):
    """Start a thread; OSError where ESP-IDF's heap has no block for its stack."""
    number = _world.call("thread", max(_asked[0], _STACK_LEAST) if _asked[0] else _STACK_BYTES)
    if number is None:
        raise OSError("can't create thread")
    return _thread.start_new_thread(_run, (number, function, args, kwargs or {}))


def _run(number, function, args, kwargs):
    try:
        function(*args, **kwargs)
    finally:
        _world.call("thread_ended", number)
