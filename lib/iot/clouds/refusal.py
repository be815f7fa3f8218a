"""What may be wrong where a cloud refuses a login: it does not say. Imported for the moment and forgotten."""

import time

from micropython import const

from iot.memory import borrow

_TEXT = const("{} refuses {}: its id, key or password, or this clock, {:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z")


def tell(cloud, detail):
    """Names what was shown: all but the secret itself can be looked at there. Often in a row, it may be for
    good, and provisioning is asked where there is one.
    """
    called = borrow(cloud.profile).CALLED
    cloud.log.warning("cloud", _TEXT, called, cloud.client.client_id, *time.gmtime()[:6])
    refusals = cloud.client.refusals
    if cloud.refusals and refusals and refusals % cloud.refusals == 0:
        cloud.notify("certificate_refused", detail)
