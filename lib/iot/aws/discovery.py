"""Greengrass' discovery: which cores a thing may connect to, and what it keeps of that for a life without it.

Imported for the moment and forgotten. Source: AWS IoT Greengrass V2 Developer Guide, "Greengrass discovery
RESTful API".
"""

import json

from micropython import const

from iot.memory import borrow

_SET = const("greengrass.cores")  # of iot.storage.store, which forgets it with the configuration
_PORT = const(8443)
_ATS = const("-ats.iot.")
_ANSWER_MAX = const(6144)  # of which a core takes some 1.6 KB, nearly all of it its CA
_ADDRESSES_MAX = const(6)
_HOST_MAX = const(253)
_BEGIN = const(b'"-----BEGIN CERTIFICATE-----')
_QUOTE = const(b'"')
_BLANK = const(32)


class Unanswered(Exception):
    """Discovery has not said which cores there are; what was known of them goes on to count."""


def kept(system, name, endpoint):
    """What the last discovery said, as [(host, port, its CAs' number)] of addresses; None where none did."""
    parts = _sets(system).load(_SET)
    if not parts or parts["thing"] != _owner(name, endpoint):
        return None
    return json.loads(parts["cores"])


def credentials(system, number):
    """The CAs in PEM that an address is trusted by, and the thing's certificate and key.

    In PEM iot.trust asks for no suite: a core's key is RSA, whatever kind of key its CA has.
    """
    parts = _sets(system).load(_SET)
    if not parts:
        raise OSError("no core is known any more")
    _, certificate, key = system.store().thing()
    return parts["ca{}".format(number)], certificate, key


async def ask(system, name, endpoint):
    """Asks discovery, and keeps what it says in place of what was kept.

    Returns that as `kept`, and whether anything of it is new. Raises Unanswered.
    """
    try:
        answer = bytearray(_ANSWER_MAX + 1)
        url = "https://{}:{}/greengrass/discover/thing/{}".format(_host(endpoint), _PORT, name)
        request = borrow("iot.https").request
        load = system.store().thing_credentials
        status, _, body = await request(answer, "GET", url, load, into=answer)
        count = len(body)
        body = None
        if status == 404:  # it is associated with no core
            cores, groups = [], []
        elif status != 200:
            raise ValueError("status {}".format(status))
        elif count > _ANSWER_MAX:
            raise ValueError("an answer of over {} bytes".format(_ANSWER_MAX))
        else:
            cores, groups = read(answer, count)
        parts = {"thing": _owner(name, endpoint), "cores": json.dumps(cores).encode()}
        for number, group in enumerate(groups):
            parts["ca{}".format(number)] = group
        sets = _sets(system)
        is_new = parts != sets.load(_SET)
        if is_new:  # else flash is spared
            sets.save(_SET, parts)
    except (OSError, ValueError, MemoryError) as error:
        raise Unanswered(str(error) or "no memory")
    return cores, is_new


def read(answer, count):
    """What the answer says: [(host, port, number of its group)], and each group's CAs in PEM, one text.

    Args:
        answer: a bytearray, of which the first `count` bytes count; the certificates in it are overwritten,
            so that none is twice in memory.

    Raises ValueError where it is no discovery's.
    """
    _blank(answer, count, len(answer))
    found = _certificates(answer)
    document = borrow("iot.jsontext").load(answer)
    cores, groups = [], []
    try:
        for group in document["GGGroups"]:
            trusted = b"".join([found[number] for number in group["CAs"] if found[number]])
            addresses = [address for core in group["Cores"] for address in core["Connectivity"]]
            for address in addresses if trusted else ():
                host, port = address["HostAddress"], address["PortNumber"]
                if len(cores) < _ADDRESSES_MAX and _is_reachable(host, port):
                    if not groups or groups[-1] is not trusted:
                        groups.append(trusted)
                    cores.append([host, port, len(groups) - 1])
    except (KeyError, TypeError, IndexError, AttributeError):
        raise ValueError("no answer of discovery")
    return cores, groups


def _certificates(answer):
    """The certificates in `answer`, b"" for one that the chip cannot load; numbers take their places."""
    found = []
    at = answer.find(_BEGIN)
    while at >= 0:
        end = answer.find(_QUOTE, at + 1)
        if end < 0:
            break
        text = bytes(answer[at + 1 : end]).replace(b"\\n", b"\n").replace(b"\\r", b"").replace(b"\\/", b"/")
        _blank(answer, at, end + 1)
        number = str(len(found)).encode()
        answer[at : at + len(number)] = number
        found.append(text.strip() + b"\n" if _is_loadable(text) else b"")
        at = answer.find(_BEGIN, end)
    return found


def _is_loadable(text):
    """Whether TLS takes it, as it will have to; what else could tell takes ten times its memory."""
    try:
        borrow("iot.trust").context(text)
    except ValueError:
        return False
    return True


def _is_reachable(host, port):
    """Whether it is a name or an address of IPv4, as the chip's network knows no other, and a port."""
    if not (isinstance(host, str) and 0 < len(host) <= _HOST_MAX):
        return False
    if not (isinstance(port, int) and 0 < port < 65536):
        return False
    return all([character.isalpha() or character.isdigit() or character in "-." for character in host])


def _blank(answer, start, end):
    for at in range(start, end):
        answer[at] = _BLANK


def _host(endpoint):
    """Who answers discovery: on AWS a name of the region's own, elsewhere the endpoint itself."""
    _, ats, region = endpoint.partition(_ATS)
    return "greengrass" + ats + region if ats else endpoint


def _sets(system):
    return borrow("iot.storage.store").Credentials(system.folder)


def _owner(name, endpoint):
    return "{} {}".format(name, endpoint).encode()
