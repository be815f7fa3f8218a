"""What may be wrong where a cloud refuses a login: it does not say. Imported for the moment and forgotten."""

import time

from micropython import const

from iot.memory import borrow


def tell(cloud):
    """Names what was shown, of which all but the secret itself can be looked at."""
    text = (
        "{} refuses {}: its id, its key or password, or the clock here, {:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z"
    )
    cloud.log.warning("cloud", text, borrow(cloud.profile).CALLED, cloud.client.client_id, *time.gmtime()[:6])
