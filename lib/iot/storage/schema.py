"""The form in which a configuration is stored, for the firmware of before and the one that comes.

Members are only added, and none changes its meaning: what an older firmware did not write gets its default
when it is read, and what a newer one wrote beside is passed over and left there. So a configuration outlives
an update, and an update that is rolled back. Nothing is written anew for another version's sake.
"""

import json

from micropython import const

#: Of the form. 0 wrote no version. A later one says here what it gives meaning to, for those that read it.
_VERSION = const(1)
#: Sections that are a cloud's: a configuration has exactly one, and iot.sections a module for each.
CLOUDS = ("aws", "azure", "clearblade", "alibaba", "mqtt")


def written(number, plain):
    """The bytes for the record: `plain`, a configuration without its certificates, and its set's number."""
    return json.dumps({"version": _VERSION, "set": number, "config": plain}).encode()


def read(value):
    """What `written` was given, as {"set", "config"}, from any version's record; None for no such thing.

    Its "cloud" is the name of the one section that is a cloud's.
    """
    try:
        stored = json.loads(value)
        number, plain = stored["set"], stored["config"]
        cloud_name = cloud(plain)
        _fill(plain, plain[cloud_name])
        whole = number in (0, 1) and plain[cloud_name]["endpoint"]
    except (ValueError, LookupError, TypeError, AttributeError):  # another program's, or of a time to come
        whole = False
    return {"set": int(number), "cloud": cloud_name, "config": plain} if whole else None


def cloud(plain):
    """The name of the section of `plain` that is a cloud's; LookupError where it has none."""
    for name in CLOUDS:
        if name in plain:
            return name
    raise LookupError


def _fill(plain, section):
    """Fills in the defaults that iot.config gives a document."""
    for network in plain["wifi"]:
        network.setdefault("password", "")
    section.setdefault("port", 8883)
    if "aws" in plain:
        section.setdefault("parameters", {})
        section.setdefault("keys", "device")
    plain.setdefault("time", {}).setdefault("ntp", ["pool.ntp.org", "time.google.com"])
    plain.setdefault("ota", {}).setdefault("public_keys", [])
    plain.setdefault("app", {})
