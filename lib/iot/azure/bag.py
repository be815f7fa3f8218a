"""Property bags, which Azure has in topics: `name=value&name&…`, percent-encoded. Pure."""


def properties(topic):
    """The properties in the last level of a topic, as {name: value}; the value is None where there is no `=`.

    Those of the system begin with "$.", such as "$.mid" for a message's id.
    """
    found = {}
    for part in topic.rsplit("/", 1)[-1].split("&"):
        name, equals, value = part.partition("=")
        if name:
            found[unquoted(name)] = unquoted(value) if equals else None
    return found


def unquoted(text):
    """`text` without percent-encoding; as it is where that is none, or does not make UTF-8."""
    first, *parts = text.split("%")
    data = first.encode()
    try:
        for part in parts:
            data += bytes((int(part[:2], 16),)) + part[2:].encode()
        return str(data, "utf-8")
    except ValueError:
        return text
