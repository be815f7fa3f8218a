"""Result codes of the protocol (docs/ble.md): the number is on the air, the name is for people."""

from micropython import const

NAMES = const(
    (
        "SUCCESS",
        "IN_PROGRESS",
        "CONFIG_DONE",
        "ACCESS_DENIED",
        "TIMEOUT",
        "MISSING_ELEMENTS",
        "WRONG_PASSWORD",
        "WRONG_SSID",
        "INVALID_REQUEST",
        "MISSING_PACKETS",
        "CHECKSUM_FAILED",
        "BUSY",
        "UNKNOWN_FAILURE",
        "INVALID_JSON",
        "NO_ADDRESS",
        "INVALID_VALUE",
        "TOO_LARGE",
        "STORAGE_FAILED",
        "LOCKED",
        "UNSUPPORTED_VERSION",
        "OPEN_NETWORK",
        "NEEDS_PASSWORD",
        "OLD_SECURITY",
        "ENTERPRISE",
        "NOT_REACHED",
    )
)


def number(name):
    """The code of a name in NAMES."""
    return NAMES.index(name)


class Refused(Exception):
    """A request that is answered with an error.

    Attributes:
        name: one of NAMES.
        detail: what more there is to say, without a secret.
        extra: further members of the answer.
    """

    def __init__(self, name, detail="", **extra):
        super().__init__(name + (": " + detail if detail else ""))
        self.name = name
        self.detail = detail
        self.extra = extra


def answer(op, name="SUCCESS", detail="", **members):
    """The answer to a request, as a dictionary for JSON; `op` None for a packet's."""
    members["code"] = number(name)
    members["name"] = name
    if op is not None:
        members["op"] = op
    if detail:
        members["detail"] = detail
    return members
