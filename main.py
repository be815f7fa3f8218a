"""Builds the system from firmware/ and runs it; where that fails, the rescue."""

import gc
import sys

import machine
import micropython

# Bytes after which garbage is collected: what survives lies close together, and the heap need not grow.
gc.threshold(4096)


def load_application():
    """Imported only once the application may run: until then its memory is free."""
    from firmware import app

    return app


def setup():
    """For the rescue: they may be what is broken."""
    from firmware import settings

    return settings


slot = getattr(sys.modules.get("pack"), "slot", 0)
try:
    if slot & 3:  # an update, which may hang while it is imported: System.run makes its own in place of this
        machine.WDT(timeout=120_000)
    else:  # as in boot.py, which counts no more: Improv; later the console sees to Ctrl-C
        micropython.kbd_intr(-1)
    try:
        if machine.RTC().memory()[7:8] > b"\x05":  # it has died so often in a row: iot.storage.rtc
            micropython.kbd_intr(3)
            from iot.rescue import life

            life.run(setup)
            del life
        from iot.system import System

        from firmware import settings

        System(settings).run(load_application)
    except (Exception, SystemExit) as error:  # e.g. a module that is missing; Ctrl-C leads to the prompt
        micropython.kbd_intr(3)
        import os
        import time

        sys.print_exception(error)
        print("main.py has ended; the chip restarts in a minute, Ctrl-C keeps it from that")
        try:
            from iot.rescue import life

            life.run(setup, "{}: {}".format(type(error).__name__, error))
        except OSError as error:  # flash fails
            sys.print_exception(error)
        except Exception as error:
            sys.print_exception(error)
            if slot & 3 and slot & 3 != slot >> 2:  # an update that counts, and cannot even be rescued
                os.remove(("/a/manifest", "/b/manifest")[(slot & 3) - 1])  # now the factory's version starts
        time.sleep(60)
        machine.reset()
except KeyboardInterrupt:
    if slot & 3:
        machine.WDT(timeout=3600_000)  # it can be given time, but not be stopped
    raise
