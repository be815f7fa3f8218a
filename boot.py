"""First on the chip: what has to be so before main.py runs. No network, next to no heap."""

import errno
import os

import esp
import machine


def is_there(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def finish_deployment():
    """Puts what tools/board/deploy.py staged into its place, by the list that is there once all of it is.

    Where the power is cut, the next start begins again and finds less to do.
    """

    def attempt(function, *paths):
        try:
            function(*paths)
        except OSError as error:
            if error.errno != errno.ENOENT:  # done before the cut
                raise

    # A cut in a rename hides another file until anything is changed (littlefs of MicroPython 1.28 and 1.29).
    attempt(os.remove, "/deploy/list.new")
    try:
        steps = open("/deploy/list")  # noqa: SIM115
    except OSError:  # not all of it was staged
        return
    for step in steps:
        path = step[2:].rstrip()
        if step[0] == ">":
            attempt(os.rename, "/deploy" + path, path)
        else:
            attempt(os.remove if step[0] == "-" else os.rmdir, path)
    steps.close()
    os.remove("/deploy/list")
    os.rmdir("/deploy")


if is_there("/deploy"):  # as at hardly any start
    finish_deployment()
if is_there("/firmware.pack"):  # else modules are files as yet: a deployment brings boot.py first
    import pack

    pack.mount("/firmware.pack")
    del pack
del is_there, finish_deployment  # main.py has the same globals
esp.osdebug(None)  # of ESP-IDF's own log only errors may break into the console's lines
machine.freq(240_000_000)  # a TLS handshake holds the loop for a third less time than at the default 160 MHz
