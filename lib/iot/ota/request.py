"""What the job of an update asks for. In memory for a moment."""


def order(document):
    """What iot.ota.pending stores of a job's document; ValueError where it is not what it has to be."""
    text = document.get("root") or document.get("manifest")
    signatures, url = document.get("signatures"), document.get("url")
    if "root" in document:
        url = ""
    elif not isinstance(url, str) or not url.startswith("https://"):
        raise ValueError("url: not https://")
    if not isinstance(text, str) or not isinstance(signatures, list):
        raise ValueError("a manifest or a root, and a list of signatures are needed: docs/updates.md")
    return {"text": text, "signatures": signatures, "url": url, "again": bool(document.get("again"))}
