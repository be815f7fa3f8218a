"""What is told of attempts to be provisioned, whatever the cloud. Imported for the moment and forgotten."""

from iot import tls
from iot.mqtt.packet import Starved


def failed(error, reason, log, notify):
    """An attempt has failed; another one follows.

    Args:
        error: what ended it.
        reason: that in words.
        notify: called with ("unreached", reason), and ("starved", reason) where memory was short.
    """
    log.warning("provisioning", "{}; will start over", reason)
    notify("unreached", reason)
    if isinstance(error, Starved) or tls.is_starved(error):
        notify("starved", str(error))


def given_up(tried, log, notify):
    """So many have failed, and no more follow."""
    reason = "after {} tries".format(tried)
    log.warning("provisioning", "given up {}", reason)
    notify("provisioning_failed", reason)
