"""The state machine as data: where an event leads, what runs in a mode, and what stays in memory for it."""

INIT = "INIT"  # parts are being initialised
CONFIG = "CONFIG"  # waits for a configuration
NORMAL = "NORMAL"  # the application runs
OTA = "OTA"  # an update is being installed
IDLE = "IDLE"  # a part could not be initialised: only the console and the rescue are left
RESTART = "RESTART"  # writes are flushed, then the chip is reset

# What the way to the next mode does besides.
ERASE = "erase"  # configuration and certificates
REPLACE = "replace"  # the thing's certificate
ROTATE = "rotate"  # the same, but it stays until the new one has connected

# They lead out of every mode, and end this life.
_ENDS = (("restart", RESTART, None), ("committed", RESTART, None), ("factory_reset", RESTART, ERASE))

# By mode: its tasks, and its turns. A turn is an event, the mode that follows, and what the way there does
# besides; a later one is stronger: what waits gives way to that alone.
ROWS = {
    INIT: (
        (),
        (
            ("unconfigured", CONFIG, None),
            ("setup_asked", CONFIG, None),
            ("configured", NORMAL, None),
            ("update_waits", OTA, None),
            ("part_failed", IDLE, None),
        ) + _ENDS,
    ),
    CONFIG: (("console", "flash", "setup", "packets", "ble", "application"), _ENDS),
    NORMAL: (
        (
            "console", "flash", "wifi", "clock", "probation", "claim", "cloud", "jobs", "reports",
            "log_lines", "application", "trial",
        ),
        (
            ("provisioning_failed", NORMAL, None),
            ("certificate_refused", NORMAL, REPLACE),
            ("rotation_by_claim", NORMAL, ROTATE),
            ("rotated", RESTART, None),  # a certificate's trial begins, or has ended in vain
            ("update_accepted", RESTART, None),  # it is installed by a life that does nothing else
            # No memory for TLS twice in one life: what the claim's connection took comes back in pieces.
            ("provisioned", RESTART, None),
        ) + _ENDS,
    ),
    OTA: (
        ("console", "flash", "wifi", "clock", "update"),
        (("update_over", RESTART, None),) + _ENDS,
    ),
    IDLE: (("console", "rescue"), _ENDS),
}  # fmt: skip

# Tasks that last as long as their mode: their end is a death.
LASTING = ("flash", "wifi", "clock", "jobs", "application", "setup", "packets", "update")
# Tasks that begin anew where a mode follows on itself: the thing has another certificate.
RENEWED = ("claim", "cloud", "jobs", "reports", "log_lines", "application")

# The modules that stay in memory: in every mode, and for a task. Each is behind those that it imports; all
# others are there for a moment (iot.memory).
ALWAYS = ("iot.memory", "iot.events", "iot.log", "iot.system", "iot.storage.user_bytes")
_MQTT = ("iot.tls", "iot.mqtt.packet", "iot.mqtt.queues", "iot.mqtt.connection", "iot.mqtt.client")
STAYING = {
    "console": ("iot.console.lines",),
    "wifi": ("iot.backoff", "iot.wifi.station"),
    "clock": ("iot.clock.keeper",),
    "claim": _MQTT,
    "cloud": _MQTT + ("iot.aws.cloud",),
    "jobs": ("iot.aws.jobs",),
    "application": ("iot.backoff", "iot.application", "iot.thing"),
    "update": (
        "iot.tls", "iot.storage.nvs", "iot.ota.slots", "iot.ota.pending", "iot.ota.update",
    ),
    "rescue": ("iot.rescue.needs", "iot.rescue.link", "iot.rescue.jobs", "iot.rescue.life"),
    "setup": (
        "iot.ble.codes", "iot.ble.frames", "iot.ble.requests", "iot.ble.setup", "iot.ble.packets",
    ),
    "ble": (
        "iot.crypto.hmac256", "iot.ble.door", "iot.ble.session", "iot.ble.conversation", "iot.ble.service",
        "iot.ble.config_mode",
    ),
}  # fmt: skip


# With clouds other than AWS.
_OTHERS = {
    "cloud": _MQTT + ("iot.clouds.cloud",),
    "jobs": ("iot.clouds.jobs",),
}


def following(mode, event):
    """The mode that follows `mode` on `event`, and what the way there does besides: ERASE, … or None.

    ValueError where the table has no such row.
    """
    for name, after, besides in ROWS[mode][1] if mode in ROWS else ():
        if name == event:
            return after, besides
    raise ValueError("no way out of mode {} on {}".format(mode, event))


def turns(mode):
    """The events that lead out of `mode`, the strongest last."""
    return tuple([turn[0] for turn in ROWS[mode][1]])


def staying(mode, cloud=None):
    """Names of the modules that stay in memory in `mode`, in the order of loading."""
    names = list(ALWAYS)
    for task in ROWS[mode][0]:
        names.extend([name for name in staying_of(task, cloud) if name not in names])
    return names


def staying_of(task, cloud):
    """The same for a task; `cloud` is the configuration's section, None for AWS's or none."""
    if task in _OTHERS and cloud not in (None, "aws"):
        return _OTHERS[task]
    return STAYING.get(task, ())
