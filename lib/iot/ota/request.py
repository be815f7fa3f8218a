"""What the job of an update asks for. In memory for a moment."""

from micropython import const

from iot.memory import borrow

_FILE_MAX = const(255)  # AWS: of a stream's files


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
    return found


def _stream(value):
    """[its id, the number of the file in it]; ValueError where it is no stream."""
    name, file = (value.get("id"), value.get("file")) if isinstance(value, dict) else (None, None)
    if not borrow("iot.ota.streams").is_name(name) or type(file) is not int or not 0 <= file <= _FILE_MAX:
        raise ValueError("stream: not an id, and the number of a file")
    return [name, file]
