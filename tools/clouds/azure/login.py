"""Who may connect to a hub: a device's user name, and its token or certificate."""

import re
from collections.abc import Mapping

from tools.cloud import packet as mqtt
from tools.cloud.ca import certificate_id

from ..manners import Asked, Identity, Refused
from . import bag, sas
from .devices import Device

_USER_NAME = re.compile(r"(?P<host>[^/]+)/(?P<device>[^/]+)/?\?(?P<query>.*)")


def events(device_id: str) -> str:
    """The topic of a device's telemetry, which its will is, too."""
    return f"devices/{device_id}/messages/events"


def judge(
    asked: Asked, hosts: tuple[str, ...], devices: Mapping[str, Device], now_s: float
) -> tuple[Device, Identity]:
    """The device that connects. Raises Refused.

    Args:
        asked: its CONNECT.
        hosts: the hub's names.
        devices: all there are, by their ids.
        now_s: seconds since 1970.
    """
    packet = asked.packet
    parts = _USER_NAME.fullmatch(packet.user_name)
    if parts is None:
        raise Refused("the user name is not HUB/DEVICE/?api-version=…", mqtt.BAD_USER_NAME_OR_PASSWORD)
    if parts["host"].lower() not in hosts:
        raise Refused(f"the user name is for {parts['host']}, this hub is {hosts[0]}")
    if parts["device"] != packet.client_id:
        raise Refused(f"the user name is for {parts['device']}, the client id is {packet.client_id}")
    if not bag.decode(parts["query"]).get("api-version"):
        raise Refused("the user name has no api-version")
    device = devices.get(packet.client_id)
    if device is None or not device.enabled:
        raise Refused(f"device {packet.client_id} is {'disabled' if device else 'not registered'}")
    if packet.will and not packet.will.topic.startswith(events(packet.client_id) + "/"):
        raise Refused(f"a will on {packet.will.topic}; it must be on {events(packet.client_id)}/")
    if device.thumbprint:
        return device, _by_certificate(device, asked.certificate)
    return device, _by_token(device, packet.password, parts["host"], now_s)


def _by_certificate(device: Device, certificate: bytes) -> Identity:
    if not certificate:
        raise Refused(f"device {device.device_id} shows no certificate")
    if (shown := certificate_id(certificate)) != device.thumbprint:
        raise Refused(f"certificate {shown[:12]}… is not the one of device {device.device_id}")
    return Identity(device.device_id, "its certificate")


def _by_token(device: Device, password: bytes, host: str, now_s: float) -> Identity:
    try:
        token = sas.parse(password)
        token.judge(f"{host}/devices/{device.device_id}", device.keys, now_s)
    except sas.TokenError as error:
        raise Refused(str(error)) from None
    return Identity(device.device_id, f"its token, until {sas.shown(token.until_s)}", token.until_s)
