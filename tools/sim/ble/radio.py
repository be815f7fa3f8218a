"""A virtual Bluetooth LE controller, as the ESP32 has one."""

import asyncio
import collections
from typing import Any

from bumble import controller, hci, ll

from tools.sim.ble.air import BleAir

_PACKETS_AN_EVENT = 4  # of each side in one connection event: what phones allow
_PACKET_BYTES = 251  # with data length extension, which ESP32 and phones have
_SCANNABLE = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType.ADV_SCAN_IND
_ACTIVE_SCAN = hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING


class _Advertiser(controller.LegacyAdvertiser):
    """One that can also advertise without being connectable; intervals are in units of 625 us."""

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        self.timer_handle = asyncio.get_running_loop().call_later(
            self.advertising_interval_min * 0.000625, self._on_timer_fired
        )

    def send_advertising_data(self) -> None:
        """Advertise once."""
        if self.enabled and self.advertising_type == _SCANNABLE:
            self.controller.send_advertising_pdu(ll.AdvNonConnInd(self.address, self.advertising_data))
        else:
            super().send_advertising_data()


class Radio(controller.Controller):
    """A controller as Bluetooth 4.2 has them, the ESP32's version; it sends at the air's pace."""

    hci_version = lmp_version = hci.HCI_VERSION_BLUETOOTH_CORE_4_2
    le_features = controller.Controller.le_features & ~(
        hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    )
    acl_data_packet_length = le_acl_data_packet_length = _PACKET_BYTES

    def __init__(self, name: str, air: BleAir, address: str) -> None:
        super().__init__(name, link=air, public_address=address)
        self.le_legacy_advertiser = _Advertiser(self)
        self._air = air
        self._waiting: collections.deque[hci.HCI_AclDataPacket] = collections.deque()
        self._event: asyncio.TimerHandle | None = None

    def off(self, *, farewell: bool = False) -> None:
        """Leave the air, with or without a farewell to who is connected. Safe to repeat."""
        if self not in self._air.controllers:
            return
        self._air.remove_controller(self)
        self.le_legacy_advertiser.stop()
        self.hci_sink = None
        self._waiting.clear()
        if self._event:
            self._event.cancel()
        for connection in self.le_connections.values():
            self._air.left(connection, farewell=farewell)
        self.le_connections.clear()

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Keep what the host gives until the next connection event."""
        self._waiting.append(packet)
        if not self._event:
            self._event = asyncio.get_running_loop().call_later(self._air.interval_ms / 1000, self._send)

    def _send(self) -> None:
        for _ in range(min(_PACKETS_AN_EVENT, len(self._waiting))):
            packet = self._waiting.popleft()
            if self.find_connection_by_handle(packet.connection_handle):
                super().on_hci_acl_data_packet(packet)
        self._event = None
        if self._waiting:
            self._event = asyncio.get_running_loop().call_later(self._air.interval_ms / 1000, self._send)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give up connecting, and say so: bumble's controller only says yes."""
        if pending := self.pending_le_connection:
            self.pending_le_connection = None
            self.send_hci_packet(
                hci.HCI_LE_Connection_Complete_Event(
                    status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                    connection_handle=0,
                    role=hci.Role.CENTRAL,
                    peer_address_type=pending.peer_address.address_type,
                    peer_address=pending.peer_address,
                    connection_interval=0,
                    peripheral_latency=0,
                    supervision_timeout=0,
                    central_clock_accuracy=0,
                )
            )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_ll_advertising_pdu(self, packet: Any) -> None:
        """Report what is heard, once for the advertisement and once for the answer to an active scan."""
        if isinstance(packet, ll.ConnectInd):
            super().on_ll_advertising_pdu(packet)
            return
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        connectable = isinstance(packet, ll.AdvInd)
        if self.le_scan_enable:
            self._report(kinds.ADV_IND if connectable else kinds.ADV_SCAN_IND, packet)
            response = self._air.scan_response(packet.advertiser_address)
            if self.le_scan_type == _ACTIVE_SCAN and response is not None:
                self._report(kinds.SCAN_RSP, ll.AdvInd(packet.advertiser_address, response))
        pending = self.pending_le_connection
        if connectable and pending and pending.peer_address == packet.advertiser_address:
            self.create_le_connection(packet.advertiser_address)

    def _report(self, kind: Any, packet: Any) -> None:
        address = packet.advertiser_address
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind, address_type=address.address_type, address=address, data=packet.data, rssi=-50
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))
