"""What AWS is told of a command (AWS: "Update the result of an execution"). In memory for a moment."""

from micropython import const

from iot.work import documents

_DESCRIPTION_MAX = const(1024)
_CODE_MAX = const(64)
_NAME_MAX = const(32)


def answer(status, code=None, description=None, result=None):
    """The payload that tells of an execution; what is past AWS's bounds is cut."""
    found = {"status": status}
    if code:
        found["statusReason"] = {
            "reasonCode": documents.name(code.upper(), _CODE_MAX),
            "reasonDescription": documents.text(description, _DESCRIPTION_MAX),
        }
    if isinstance(result, dict) and result:
        found["result"] = _results(result)
    return found


def _results(values):
    texts, found = documents.details(values, _NAME_MAX), {}
    for key in values:
        called = documents.name(key, _NAME_MAX)
        if called in texts:
            is_boolean = isinstance(values[key], bool)
            found[called] = {"b": values[key]} if is_boolean else {"s": texts[called]}
    return found
