"""The state machine as data: which mode follows on which event."""

from micropython import const

INIT = "INIT"  # parts are being initialised
CONFIG = "CONFIG"  # waits for a configuration
NORMAL = "NORMAL"  # the application runs
OTA = "OTA"  # an update is being installed
IDLE = "IDLE"  # a part could not be initialised: only the console and the rescue are left
RESTART = "RESTART"  # writes are flushed, then the chip is reset

MODES = (INIT, CONFIG, NORMAL, OTA, IDLE, RESTART)

TABLE = {
    (INIT, "part_failed"): IDLE,
    (INIT, "unconfigured"): CONFIG,
    (INIT, "configured"): NORMAL,
    (INIT, "setup_asked"): CONFIG,
    (CONFIG, "committed"): RESTART,
    (NORMAL, "committed"): RESTART,
    (IDLE, "committed"): RESTART,
    # The chip has no memory for TLS twice in one life: what the claim's connection took comes back in pieces.
    (NORMAL, "provisioned"): RESTART,
    (NORMAL, "certificate_refused"): NORMAL,
    (NORMAL, "provisioning_failed"): NORMAL,
    (NORMAL, "update_accepted"): OTA,
    (OTA, "update_installed"): RESTART,
    (OTA, "update_failed"): NORMAL,
    (OTA, "update_failed_application_stopped"): RESTART,
    (IDLE, "rescue_accepted"): OTA,
}

_ANYWHERE = const(("restart", "factory_reset"))


def following(mode, event):
    """The mode that follows `mode` on `event`; ValueError where the table has no such row."""
    if mode in MODES and event in _ANYWHERE:
        return RESTART
    if (mode, event) not in TABLE:
        raise ValueError("no way out of mode {} on {}".format(mode, event))
    return TABLE[(mode, event)]
