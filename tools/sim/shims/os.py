"""`os` of the simulated chip on MicroPython's unix port: its own, and the second terminal.

What the simulator itself is imported from is mounted as `/.sim1` and so on, and is in no listing.
"""

import uos
from _memory import dupterm
from uos import (
    chdir,
    getcwd,
    mkdir,
    mount,
    remove,
    rename,
    rmdir,
    stat,
    statvfs,
    umount,
    unlink,
    urandom,
)


def ilistdir(dir=""):
    """Yield (name, type, 0, size in bytes) of what is in a folder."""
    for entry in uos.ilistdir(dir):
        if not entry[0].startswith(".sim"):
            yield entry


def listdir(path=""):
    """The names of what is in a folder."""
    return [entry[0] for entry in ilistdir(path)]
