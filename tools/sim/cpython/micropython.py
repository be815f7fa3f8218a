"""MicroPython's `micropython` module, for CPython."""


def const(value):
    """Return `value`: only MicroPython's compiler makes anything of it."""
    return value


def alloc_emergency_exception_buf(size):
    """Do nothing: CPython can always allocate an exception."""


def opt_level(level=0):
    """Return 0: there are no optimisation levels to set."""
    return 0


def mem_info(*verbose):
    """Print what is in use of the chip's stack and heap; a chip has to be simulated."""
    import gc

    import _memory

    _memory.print_info(*gc.figures())


def kbd_intr(chr):
    """Set the character that interrupts; -1 for none. Where no chip is simulated there is no console."""
    import _world

    if _world._place:
        _world.call("interrupt_character", chr)
