"""The air of Bluetooth LE: bumble's virtual controllers on one link, with its pace, its losses and a tap."""

import asyncio
import dataclasses
import functools
import logging
from collections.abc import Callable

from bumble import att, colors, controller, core, hci, host, ll
from bumble.link import LocalLink

_log = logging.getLogger("bumble")
_log.setLevel(logging.ERROR)  # it warns of every packet that comes after a link's end


def _in_short(packet: hci.HCI_Packet | att.ATT_PDU, _specification: str) -> str:
    """bumble has each packet in words and colours for its log, read or not: a quarter of all it does."""
    return str(packet) if _log.isEnabledFor(logging.DEBUG) else type(packet).__name__


hci.HCI_Packet.__format__ = att.ATT_PDU.__format__ = _in_short  # type: ignore[assignment, method-assign]
controller.color = host.color = functools.lru_cache(colors.color)


@dataclasses.dataclass(frozen=True)
class Packet:
    """One L2CAP packet on its way through the air; the addresses as text, lower case, with colons."""

    source: str
    destination: str
    data: bytes


class BleAir(LocalLink):
    """All Bluetooth LE radios in reach of each other.

    interval_ms: the connection interval (7.5 is the shortest there is; phones take 15 to 50).
    supervision_ms: when a side notices that the other is gone (2 to 5 s in life; short here so that tests
    are). silent: data no longer passes, while the links stay up. captured: every packet that was sent, also
    those that `silent` swallowed; on_packet is called with each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interval_ms = 7.5
        self.supervision_ms = 300.0
        self.silent = False
        self.captured: list[Packet] = []
        self.on_packet: Callable[[Packet], None] | None = None

    def break_links(self, address: str | None = None) -> None:
        """End all links, or those of one address, as when a radio goes out of reach: both sides time out."""
        for one in [*self.controllers]:
            for connection in [*one.le_connections.values()]:
                if address is None or address.lower() in (
                    _text(connection.self_address),
                    _text(connection.peer_address),
                ):
                    one.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def left(self, connection: controller.Connection, *, farewell: bool) -> None:
        """Have the other side of a link that ended find out: at once by a farewell, or by its timeout."""
        if farewell:
            connection.send_ll_control_pdu(
                ll.TerminateInd(hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR)
            )
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(self.supervision_ms / 1000, self._time_out, connection)

    def _time_out(self, gone: controller.Connection) -> None:
        for one in self.controllers:
            connection = one.le_connections.get(gone.self_address)
            if connection and connection.self_address == gone.peer_address:
                one.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
                return

    def send_acl_data(
        self,
        sender_controller: controller.Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Carry a packet; the source is the address the link was made with, of whatever kind."""
        connection = sender_controller.le_connections.get(destination_address)
        if not connection:
            return
        packet = Packet(_text(connection.self_address), _text(destination_address), bytes(data))
        self.captured.append(packet)
        if self.on_packet:
            self.on_packet(packet)
        receiver = self.find_le_controller(destination_address)
        if receiver and not self.silent:
            asyncio.get_running_loop().call_soon(
                receiver.on_link_acl_data, connection.self_address, transport, data
            )

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Carry a control packet, if somebody is there."""
        if self.find_le_controller(receiver_address):
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def scan_response(self, advertiser: hci.Address) -> bytes | None:
        """What an advertiser answers to an active scan; None if it does not."""
        for one in self.controllers:
            advertising = one.le_legacy_advertiser
            if advertising.enabled and advertising.address == advertiser:
                return bytes(advertising.scan_response_data)
        return None


def _text(address: hci.Address) -> str:
    return address.to_string(with_type_qualifier=False).lower()
