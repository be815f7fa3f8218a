"""What is the same in every device of this product."""

PRODUCT = "camera"  # 1 to 32 letters, digits, . _ -; updates of another are refused
VERSION = "0.1.0"
BUILT = (2026, 11, 20)  # year, month, day: the clock is never set to a time before

NAME_PREFIX = "camera"  # the device's name is this, a hyphen and its MAC address
LED_PIN = 2
BUTTON_PIN = 0  # to ground; held for a second at the start it leads to CONFIG. Or None

LOG_LEVEL = "info"  # error, warning, info or debug
WATCHDOG_MS = 60_000  # longer than the longest time anything holds the loop
SETUP_CODE = None  # 12 characters that a phone must know; None: each device makes its own at its first boot
CONFIG_MS = 900_000  # of advertising, after which Bluetooth LE goes off; 0: never on, the button does nothing
WIFI_REACH_MS = 300_000  # a new configuration's Wi-Fi not reached within this: back to CONFIG, or the old one
CLOUD_REACH_MS = 300_000  # and from then on its cloud not
CONFIG = None  # a configuration, for a product with its own, perhaps without `wifi`; else it is asked for

# What the cloud is told beside telemetry, a part of {"crash": True, "log": "warning", "metrics_s": 300,
# "package": "name"}: docs/reports.md has what each sends, and where.
REPORTS = {}  # type: dict[str, object]

# What goes out to the cloud.
OUTBOX_BYTES = 2048  # all messages that wait to be sent or acknowledged, and so the largest one
WINDOW = 16  # QoS 1 messages in flight
# What comes in.
PACKET_LIMIT = 4096  # bytes of the largest message: a URL that a role has signed has 2 KB of them

KEEP_ALIVE_S = 60
REFUSALS_FOR_GOOD = 20  # attempts in a row, with pauses up to a minute, after which the claim is used again
ROTATE_DAYS = 30  # before it ends the thing's certificate is replaced; 0: never

# When updates may begin: None for always, or (from, to, offset, spread), hours of local time, minutes that it
# is ahead of UTC, and seconds of which each device waits a part, at random: so a fleet does not come at once.
UPDATE_HOURS = None  # e.g. (22, 5, 60, 1800)
UPDATE_AFR = False  # AWS's own OTA jobs (afr_ota) may bring updates, too: docs/updates.md has what they lack

# The picture, in the words of the module `camera`; the pins for an image that is generic: docs/camera.md.
FRAME_SIZE = "UXGA"
JPEG_QUALITY = 85  # percent
FRAMES_BEFORE = 2
CAMERA_PINS = {}  # type: dict[str, object]
