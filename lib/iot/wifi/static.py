"""The address that a network of the configuration gives the device in place of DHCP."""


class StaticError(Exception):
    """What is wrong.

    Attributes:
        member: its name.
        reason: without the value.
    """

    def __init__(self, member, reason):
        super().__init__(member + ": " + reason)
        self.member = member
        self.reason = reason


def checked(members):
    """A copy of {"ip", "netmask", "gateway", "dns"} that can work; without `dns` that is the gateway.

    Raises:
        StaticError: an address is none (RFC 791), or they do not go together.
    """
    result = {"dns": members["gateway"]}
    result.update(members)
    numbers = {name: _number(name, result[name]) for name in result}
    hosts = 0xFFFFFFFF - numbers["netmask"]  # the bits that tell one of a network from the others
    if hosts & (hosts + 1) or not 3 <= hosts <= 0xFFFFFF:
        raise StaticError("netmask", "ones, then zeros: from 255.0.0.0 to 255.255.255.252")
    for name in ("ip", "gateway", "dns"):
        if not 0x01000000 <= numbers[name] < 0xE0000000 or numbers[name] >> 24 == 127:
            raise StaticError(name, "not the address of one host")
    for name in ("ip", "gateway"):
        if numbers[name] & hosts in (0, hosts):
            raise StaticError(name, "the address of the network, or of all in it")
    if (numbers["ip"] ^ numbers["gateway"]) & numbers["netmask"]:
        raise StaticError("gateway", "not in the network of ip")
    if numbers["ip"] == numbers["gateway"]:
        raise StaticError("ip", "is the gateway's")
    return result


def use(wlan, members):
    """Gives the station these in place of DHCP's."""
    wlan.ifconfig((members["ip"], members["netmask"], members["gateway"], members["dns"]))


def _number(name, value):
    """The 32 bits of an address such as 192.168.4.20."""
    parts = value.split(".") if isinstance(value, str) else ()
    number = 0
    for part in parts:
        if not 1 <= len(part) <= 3 or [digit for digit in part if digit not in "0123456789"]:
            parts = ()
            break
        number = number * 256 + int(part)
        if int(part) > 255 or (part[0] == "0" and part != "0"):  # 010 is ten here and eight there
            parts = ()
            break
    if len(parts) != 4:
        raise StaticError(name, "an IPv4 address such as 192.168.4.20")
    return number
