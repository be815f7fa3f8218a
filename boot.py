"""First on the chip: what has to be so before main.py runs. No network, next to no heap."""

import errno
import os

import esp
import machine


def finish_deployment():
    """Puts what tools/board/deploy.py staged into its place, by the list that is there once all of it is.

    Where the power is cut, the next start begins again and finds less to do.
    """
    try:
        steps = open("/deploy/list")  # noqa: SIM115
    except OSError:  # as at nearly every start
        return
    for step in steps:
        path = step[2:].rstrip()
        try:
            if step[0] == ">":
                os.rename("/deploy" + path, path)
            elif step[0] == "-":
                os.remove(path)
            else:
                os.rmdir(path)
        except OSError as error:
            if error.errno != errno.ENOENT:  # done before the cut
                raise
    steps.close()
    os.remove("/deploy/list")
    os.rmdir("/deploy")


finish_deployment()

import pack  # noqa: E402 - it may have come with the deployment

pack.mount("/firmware.pack")
del finish_deployment, pack  # main.py has the same globals
esp.osdebug(None)  # of ESP-IDF's own log only errors may break into the console's lines
machine.freq(240_000_000)  # a TLS handshake holds the loop for a third less time than at the default 160 MHz
