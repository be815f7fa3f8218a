"""What may be wrong where a cloud refuses a login: it does not say. Imported for the moment and forgotten."""

import time

from micropython import const

from iot.memory import borrow

_TEXT = const("{} refuses {}: its id, key or password, or this clock, {:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z")


def tell(cloud):
    """Names what was shown: all but the secret itself can be looked at there."""
    called = borrow(cloud.profile).CALLED
    cloud.log.warning("cloud", _TEXT, called, cloud.client.client_id, *time.gmtime()[:6])
