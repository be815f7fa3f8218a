"""MicroPython's `micropython` module, for CPython."""


def const(value):
    """Return `value`: only MicroPython's compiler makes anything of it."""
    return value


def alloc_emergency_exception_buf(size):
    """Do nothing: CPython can always allocate an exception."""


def opt_level(level=0):
    """Return 0: there are no optimisation levels to set."""
    return 0
