"""First on the chip: what has to be so before main.py runs. No network, next to no heap.

MicroPython keeps each name of a script for ever, but for those that it has in ROM: so functions have those.
"""

import errno
import os

import esp
import machine
import micropython

# A browser that has flashed the board speaks Improv at once, whose packets have Ctrl-C among their bytes.
try:
    micropython.kbd_intr(-1)
    for _ in range(2):  # where one that came before, as MicroPython mounted the flash, is raised
        pass
except KeyboardInterrupt:
    pass
try:
    machine.freq(240_000_000)  # a start takes a third less time than at the default 160 MHz, and so does TLS
except ValueError:  # a C3 or C6 has no more than that
    pass


def start():
    """Finishes a deployment, has modules imported from the pack. What fails is told, and main.py starts."""

    def find(path):
        try:
            os.stat(path)
        except OSError:
            return False
        return True

    def update(what, function, *values):
        """Whether it is done, now or before a cut; if not, that is told, and no start fails for it again."""
        try:
            function(*values)
        except OSError as error:
            if error.errno != errno.ENOENT:
                print("deployment:", what, values[-1], error)
                return False
        return True

    def install():
        """Puts what tools/board/deploy.py staged into its place, by the list that is there once all of it is.

        Where the power is cut, the next start begins again and finds less to do. A move that fails before any
        was made gives the deployment up, and what was there starts; any other step that fails is passed over.
        """
        # A cut in a move hides another entry until anything is changed (littlefs of MicroPython 1.28, 1.29).
        update("not removed", os.remove, "/deploy/list.new")
        if not find("/deploy"):  # as at nearly every start
            return
        if find("/deploy/list"):  # all of it was staged
            active = False
            steps = open("/deploy/list")  # noqa: SIM115
            for step in steps:
                path = step[2:].rstrip()
                if step[0] != ">":
                    update("not removed", os.remove if step[0] == "-" else os.rmdir, path)
                elif update("not moved", os.rename, "/deploy" + path, path):
                    active = True
                elif not active:
                    print("deployment: given up, nothing is changed")
                    break
            steps.close()
            os.remove("/deploy/list")
        if not os.listdir("/deploy"):
            os.rmdir("/deploy")

    def mount():
        try:
            import pack
        except ImportError:  # modules are files as yet: a deployment brings boot.py first
            return
        try:
            pack.slot = pack.start()  # type: ignore[attr-defined] # iot.ota.slots has to know
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    for part in (install, mount):
        try:
            part()
        except Exception as error:
            import sys

            sys.print_exception(error)


start()
del start  # main.py has the same globals
esp.osdebug(None)  # of ESP-IDF's own log only errors may break into the console's lines
