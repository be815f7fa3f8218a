"""Builds the system from firmware/ and runs it."""

import gc

# Bytes after which garbage is collected: what survives lies close together, and the heap need not grow.
gc.threshold(4096)


def load_application():
    """Imported only once the application may run: until then its memory is free."""
    from firmware import app

    return app


try:
    from iot.system import System

    from firmware import settings

    System(settings).run(load_application)
except (Exception, SystemExit) as error:  # e.g. a module that is missing; Ctrl-C leads to the prompt
    import sys
    import time

    import machine

    sys.print_exception(error)
    print("main.py has ended; the chip restarts in a minute, Ctrl-C keeps it from that")
    time.sleep(60)
    machine.reset()
