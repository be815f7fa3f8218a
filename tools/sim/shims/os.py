"""`os` of the simulated chip on MicroPython's unix port: its own, and the second terminal."""

from _memory import dupterm
from uos import (
    chdir,
    getcwd,
    ilistdir,
    listdir,
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
