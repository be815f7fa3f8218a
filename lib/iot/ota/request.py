"""What the job of an update asks for. In memory for a moment."""

from micropython import const

from iot.memory import borrow

_FILE_MAX = const(255)  # AWS: of a stream's files
_DELTA_MAX = const(524288)  # bytes of a patch, which has to lie in a file


def order(document):
    """What iot.ota.pending stores of a job's document; ValueError where it is not what it has to be."""
    found = {"url": "", "stream": None, "again": bool(document.get("again"))}
    if "afr_ota" in document:  # AWS's own
        document = borrow("iot.ota.afr").order(document)
        found["size"] = document["size"]
    found["text"] = text = document.get("root") or document.get("manifest")
    found["signatures"] = signatures = document.get("signatures")
    if "stream" in document:
        found["stream"] = _stream(document["stream"])
    elif "root" not in document:
        found["url"] = url = document.get("url")
        if not isinstance(url, str) or not url.startswith("https://"):
            raise ValueError("url: not https://")
    if not isinstance(text, str) or not isinstance(signatures, list):
        raise ValueError("a manifest or a root, and a list of signatures are needed: docs/updates.md")
    delta = document.get("delta")
    if (
        delta and found["url"] and _is_delta(delta)
    ):  # a delta comes by HTTPS, and so has what may take its place
        found["delta"] = {name: delta[name] for name in ("base", "size", "url")}
    return found


def _is_delta(delta):
    """Whether this leads to a patch; where it does not, the whole file comes."""
    try:
        base, size, url = delta["base"], delta["size"], delta["url"]
        return isinstance(base, str) and 0 < size <= _DELTA_MAX and url.startswith("https://")
    except (TypeError, KeyError, AttributeError):
        return False


def _stream(value):
    """[its id, the number of the file in it]; ValueError where it is no stream."""
    name, file = (value.get("id"), value.get("file")) if isinstance(value, dict) else (None, None)
    if not borrow("iot.ota.streams").is_name(name) or type(file) is not int or not 0 <= file <= _FILE_MAX:
        raise ValueError("stream: not an id, and the number of a file")
    return [name, file]
