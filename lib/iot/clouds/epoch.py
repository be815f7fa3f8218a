"""How clouds count time. In memory for a moment."""

import time

from micropython import const

_UNIX_2000_S = const(946684800)


def unix_s(now_s):
    """Whole seconds since 1970, of what time.time() says: on a chip it counts from 2000."""
    return int(now_s) + (_UNIX_2000_S if time.gmtime(0)[0] == 2000 else 0)
