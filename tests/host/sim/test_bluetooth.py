"""Bluetooth LE as the ESP32's stack does it, below aioble: what a phone and a program see of each other."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from bumble import att
from bumble.core import UUID, AdvertisingData
from bumble.core import TimeoutError as BumbleTimeout
from bumble.device import Peer
from bumble.gatt_client import CharacteristicProxy

from tools.sim import Device, World
from tools.sim.ble.air import Packet
from tools.sim.ble.phone import subscribe

# A service with a value that can be read, written, notified and indicated; the program prints all events.
SERVE = """
    import asyncio, bluetooth
    ble = bluetooth.BLE()
    FLAGS = bluetooth.FLAG_READ | bluetooth.FLAG_WRITE | bluetooth.FLAG_WRITE_NO_RESPONSE
    FLAGS |= bluetooth.FLAG_NOTIFY | bluetooth.FLAG_INDICATE
    DESCRIPTOR = (bluetooth.UUID(0x2901), bluetooth.FLAG_READ)
    VALUE = (bluetooth.UUID(0x2A56), FLAGS, (DESCRIPTOR,))
    def error(function, *arguments, **keywords):
        try:
            print("no error", function(*arguments, **keywords))
        except OSError as error:
            print("errno", error.errno)
    def on_event(event, data):
        if event in (1, 2):
            data = data[0], data[1], bytes(data[2])
        print("event", event, data)
        if event == 3:
            print("value", ble.gatts_read(data[1]))
    def serve(response=b"\\x05\\x09lamp"):
        ble.irq(on_event)
        ble.active(True)
        ((handle, descriptor),) = ble.gatts_register_services(((bluetooth.UUID(0x1815), (VALUE,)),))
        ble.gap_advertise(30_000, b"\\x02\\x01\\x06", resp_data=response)
        return handle
    async def sleep():
        while True:
            await asyncio.sleep(1)
"""
SLEEP = """
    async def main():
        handle = serve()
        print("serving")
        await sleep()
    asyncio.run(main())
"""
PHONE = r"b'\\xc0\\x00\\x00\\x00\\x00\\x01'"


@pytest.fixture
def connect(device: Device, world: World, load) -> Callable[..., Awaitable[Peer]]:
    """Run a program that serves, and connect a new phone to it."""

    async def connect(program: str = SLEEP, mtu: int = 23) -> Peer:
        if not device.powered:
            load(SERVE + program)
            await device.power_on()
            await device.expect("^serving$")
        return await (await world.phone(mtu)).connect(device.chip.ble.address)

    return connect


def value_of(peer: Peer) -> CharacteristicProxy:
    return peer.get_characteristics_by_uuid(UUID.from_16_bits(0x2A56))[0]


def ended(peer: Peer) -> "asyncio.Future[int]":
    """Done when the link has ended, with the reason."""
    end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    peer.connection.on("disconnection", end.set_result)
    return end


TIMED_OUT, ENDED_BY_THE_OTHER = 0x08, 0x13


async def test_uuids(run) -> None:
    lines = await run(
        """
        from bluetooth import UUID
        long = UUID("6E400001-B5A3-F393-E0A9-E50E24DCCA9E")
        print(UUID(0x2908), long, bytes(UUID(0x2908)), bytes(long)[:4])
        assert UUID(0x2908) == UUID(b"\\x08\\x29") != UUID(0x2909) and UUID(bytes(long)) == long == UUID(long)
        assert UUID(0x2908) != 0x2908 and UUID(0x2908) < UUID(0x2909) < long >= long
        assert {long: 1}[UUID("6e400001b5a3f393e0a9e50e24dcca9e")] == 1
        for wrong in (0x10000, "6E400001", "6E400001-B5A3-F393-E0A9-E50E24DCCA9Z", "6E400001" * 5):
            try:
                UUID(wrong)
                print("taken:", wrong)
            except ValueError as error:
                print(error)
        """
    )
    assert lines == [
        r"UUID(0x2908) UUID('6e400001-b5a3-f393-e0a9-e50e24dcca9e') b'\x08)' b'\x9e\xca\xdc$'",
        *("invalid UUID", "UUID too short", "invalid char in UUID", "UUID too long"),
    ]


async def test_config(run) -> None:
    lines = await run(
        SERVE
        + """
    async def main():
        assert bluetooth.BLE() is ble and not ble.active()
        error(ble.config, "mac")
        error(ble.config, "mtu")
        error(ble.gap_advertise, 100000)
        error(ble.gatts_register_services, ())
        error(ble.gatts_write, 1, b"")
        assert ble.gatts_read(1) == b"" and ble.config("gap_name") == b"MPY ESP32"
        assert ble.active(True) and ble.active()
        print(ble.config("mac"), ble.config("mtu"))
        ble.config(addr_mode=1)
        kind, address = ble.config("mac")
        assert kind == 1 and address[0] >> 6 == 3
        for mtu in (22, 518):
            error(ble.config, mtu=mtu)
        ble.config(mtu=517, gap_name="my lamp", bond=False)
        assert ble.config("mtu") == 517 and ble.config("gap_name") == b"my lamp"
        error(ble.config, gap_name=32 * "x")
        for wrong in ("rxbuf", "nonsense"):  # the ESP32 has no ring buffer
            try:
                ble.config(wrong)
            except ValueError as exception:
                print(exception)
        assert not ble.active(False)
    asyncio.run(main())
    """
    )
    assert lines == [
        *["errno 19"] * 5,  # ENODEV
        r"(0, b'$\n\xc4\x00\x00\x03') 256",
        *["errno 22"] * 3,  # EINVAL
        *["unknown config param"] * 2,
    ]


async def test_an_active_scan_hears_advertisement_and_response(device: Device, world: World, load) -> None:
    load(SERVE + SLEEP)
    await device.power_on()
    await device.expect("^serving$")
    phone = await world.phone()
    heard = await phone.scan(device.chip.ble.address)
    assert heard.get(AdvertisingData.COMPLETE_LOCAL_NAME) == "lamp"
    assert heard.get(AdvertisingData.FLAGS) == 6
    await device.power_off()
    with pytest.raises(TimeoutError):
        await phone.scan(timeout_s=0.3)


async def test_who_is_not_connectable_is_heard_and_not_connected(device: Device, world: World, load) -> None:
    load(
        SERVE
        + """
    async def main():
        ble.active(True)
        ble.gap_advertise(100_000, b"\\x05\\x09lamp", connectable=False)
        await sleep()
    asyncio.run(main())
    """
    )
    await device.power_on()
    phone = await world.phone()
    await phone.scan(device.chip.ble.address)
    with pytest.raises(BumbleTimeout):
        await phone.connect(device.chip.ble.address, timeout_s=0.3)


async def test_advertising_has_limits_and_stops_for_services_and_by_a_connection(
    device: Device, world: World, connect
) -> None:
    peer = await connect(
        """
    async def main():
        ble.active(True)
        error(ble.gap_advertise, 10_000)
        error(ble.gap_advertise, 100_000, bytes(32))
        ble.gap_advertise(100_000)
        error(ble.gatts_register_services, ())
        ble.gap_advertise(None)
        serve()
        print("serving")
        await sleep()
    asyncio.run(main())
    """
    )
    assert device.lines[:3] == ["errno 22", "errno 22", "errno 16"]  # EINVAL, EBUSY
    with pytest.raises(TimeoutError):
        await (await world.phone()).scan(timeout_s=0.3)
    await peer.connection.disconnect()


async def test_a_phone_connects_reads_and_leaves(device: Device, connect) -> None:
    peer = await connect()
    await device.expect(rf"^event 1 \(0, 1, {PHONE}\)$")
    name = peer.get_characteristics_by_uuid(UUID.from_16_bits(0x2A00))[0]
    assert await name.read_value() == b"MPY ESP32"
    assert await value_of(peer).read_value() == b""
    await device.expect(r"^event 4 \(0, \d+\)$")
    await peer.connection.disconnect()
    await device.expect(rf"^event 2 \(0, 1, {PHONE}\)$")
    assert not [line for line in device.lines if line.startswith("event 21")]  # nobody asked for an MTU


@pytest.mark.parametrize(("asked", "got"), [(24, 24), (247, 247), (517, 256)])
async def test_the_mtu_is_the_smaller_of_both(device: Device, connect, asked: int, got: int) -> None:
    peer = await connect(mtu=asked)
    await device.expect(rf"^event 21 \(0, {got}\)$")
    assert peer.gatt_client.mtu == got


async def test_the_chip_can_ask_for_the_mtu_too(device: Device, world: World, connect) -> None:
    await connect(
        """
    async def main():
        def on_event(event, data):
            print("event", event, data[1])
            if event == 1:
                ble.gattc_exchange_mtu(data[0])
        serve()
        ble.irq(on_event)
        print("serving")
        await sleep()
    asyncio.run(main())
    """
    )
    await device.expect("^event 21 23$")  # a phone of 23 has no more


WRITES = """
    async def main():
        ble.active(True)
        ble.config(mtu=517)
        handle = serve()
        SETUP
        print("serving")
        await sleep()
    asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("setup", "kept"),
    [("pass", 20), ("ble.gatts_set_buffer(handle, 512)", 512), ("ble.gatts_write(handle, bytes(33))", 33)],
)
async def test_remote_writes_are_cut_to_the_buffer_in_silence(device, connect, setup: str, kept: int) -> None:
    value = value_of(await connect(WRITES.replace("SETUP", setup), mtu=517))
    data = bytes(i % 251 for i in range(512))
    await value.write_value(data, with_response=True)
    assert await value.read_value() == data[:kept]
    with pytest.raises(att.ATT_Error):
        await value.write_value(data + b"x", with_response=True)  # no value is longer than 512


async def test_appending_joins_writes_until_they_are_read(device: Device, connect) -> None:
    setup = "ble.gatts_set_buffer(handle, 8, True); ble.irq(lambda event, data: None)"
    setup += "; asyncio.create_task(read(handle))"
    reader = """
    async def read(handle):
        while ble.gatts_read(handle) != b"abcdefgh":
            await asyncio.sleep_ms(200)
        print("joined", ble.gatts_read(handle))
    """
    value = value_of(await connect(reader + WRITES.replace("SETUP", setup)))
    for part in (b"abc", b"def", b"ghijkl"):
        await value.write_value(part, with_response=True)
    assert await value.read_value() in (b"abcdefgh", b"ghijkl", b"defghijk", b"")


async def test_a_long_write_is_one_event(device: Device, connect) -> None:
    peer = await connect()
    handle = value_of(peer).handle
    for offset in (0, 10):
        await peer.gatt_client.send_request(
            att.ATT_Prepare_Write_Request(
                attribute_handle=handle, value_offset=offset, part_attribute_value=b"0123456789"
            )
        )
    await peer.gatt_client.send_request(att.ATT_Execute_Write_Request(flags=1))
    await device.expect(r"^value b'01234567890123456789'$")
    assert sum(line.startswith("event 3 ") for line in device.lines) == 1


async def test_every_write_is_seen_with_its_value(device: Device, connect) -> None:
    value = value_of(await connect())
    for n in range(30):
        await value.write_value(b"number %d" % n, with_response=False)
    for n in range(30):
        await device.expect(f"^value b'number {n}'$")


async def test_notifications(device: Device, connect) -> None:
    peer = await connect(
        """
    async def main():
        handle = serve()
        print("serving")
        connected = asyncio.ThreadSafeFlag()
        ble.irq(lambda event, data: event == 3 and connected.set())
        await connected.wait()
        ble.gatts_write(handle, b"current")
        ble.gatts_notify(0, handle)
        ble.gatts_notify(0, handle, None)
        ble.gatts_notify(0, handle, bytes(100))
        ble.gatts_write(handle, b"to all", True)
        print(ble.gatts_read(handle))
        error(ble.gatts_notify, 1, handle, b"")
        error(ble.gatts_notify, 0, 999)
        error(ble.gatts_write, 999, b"")
        error(ble.gatts_set_buffer, 999, 20)
        try:
            ble.gatts_notify(None, handle, b"")
        except TypeError:
            print("TypeError")
        print(ble.gap_disconnect(1))
        await sleep()
    asyncio.run(main())
    """
    )
    value = value_of(peer)
    values = await subscribe(value)
    await value.write_value(b"go", with_response=True)
    received = [await values.get() for _ in range(4)]
    assert received == [b"current", b"current", bytes(20), b"to all"]
    await device.expect("^False$")
    assert device.lines[-7:-1] == ["b'to all'", "errno 107", *["errno 22"] * 3, "TypeError"]


async def test_who_sends_carelessly_runs_out_of_memory(device: Device, connect) -> None:
    """And who waits can go on when the air takes packets again; all that was taken arrives, in order."""
    peer = await connect(
        """
    async def main():
        handle = serve()
        print("serving")
        subscribed = asyncio.ThreadSafeFlag()
        ble.irq(lambda event, data: event == 3 and subscribed.set())
        await subscribed.wait()
        refused = False
        for n in range(100):
            while True:
                try:
                    ble.gatts_notify(0, handle, b"%d" % n)
                    break
                except OSError as error:
                    assert error.errno == 12
                    if not refused:
                        print("refused", n)
                    refused = True
                    await asyncio.sleep_ms(5)
        await sleep()
    asyncio.run(main())
    """
    )
    value = value_of(peer)
    values = await subscribe(value)
    assert device.chip.ble._device
    queue = device.chip.ble._device.host.le_acl_packet_queue
    assert queue
    taken, held = queue.on_packets_completed, []  # the air is busy for a while
    queue.on_packets_completed = lambda *packets: held.append(packets)  # type: ignore[method-assign]
    await value.write_value(b"go")
    assert 8 <= int((await device.expect(r"^refused (\d+)$"))[1]) <= 12
    queue.on_packets_completed = taken  # type: ignore[method-assign]
    for packets in held:
        taken(*packets)
    assert [await values.get() for _ in range(100)] == [b"%d" % n for n in range(100)]


async def test_an_indication_tells_of_its_end(device: Device, world: World, connect) -> None:
    peer = await connect(
        """
    async def main():
        handle = serve()
        print("serving")
        go = asyncio.ThreadSafeFlag()
        def on_event(event, data):
            if event == 3:
                go.set()
            elif event == 20:
                print("done", data[0], data[2])
        ble.irq(on_event)
        await go.wait()
        ble.gatts_indicate(0, handle, b"indication")
        await go.wait()
        ble.gatts_indicate(0, handle)
        print("sent")
        await sleep()
    asyncio.run(main())
    """
    )
    value = value_of(peer)
    values: asyncio.Queue[bytes] = asyncio.Queue()
    await value.subscribe(values.put_nowait, prefer_notify=False)
    await value.write_value(b"go", with_response=True)
    assert await values.get() == b"indication"
    await device.expect("^done 0 0$")
    await value.write_value(b"go", with_response=True)
    world.air_ble.silent = True
    await device.expect("^sent$")
    world.air_ble.break_links()
    await device.expect("^done 0 7$")  # BLE_HS_ENOTCONN


async def test_a_handler_can_refuse_a_read_and_is_dropped_when_it_fails(device: Device, connect) -> None:
    peer = await connect(
        """
    async def main():
        def on_event(event, data):
            if event == 4:
                return 5
            if event == 3:
                raise RuntimeError("in the handler")
        serve()
        ble.irq(on_event)
        print("serving")
        await sleep()
    asyncio.run(main())
    """
    )
    value = value_of(peer)
    with pytest.raises(att.ATT_Error) as refused:
        await value.read_value()
    assert refused.value.error_code == att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR
    await value.write_value(b"x", with_response=True)
    await device.expect("^Unhandled exception in IRQ callback handler$")
    await device.expect("RuntimeError: in the handler")
    assert await value.read_value() == b"x"


async def test_flags_say_what_is_allowed(connect) -> None:
    peer = await connect(
        "    FLAGS = bluetooth.FLAG_WRITE\n    VALUE = (VALUE[0], FLAGS, (DESCRIPTOR,))\n" + SLEEP
    )
    with pytest.raises(att.ATT_Error) as refused:
        await value_of(peer).read_value()
    assert refused.value.error_code == att.ATT_READ_NOT_PERMITTED_ERROR


async def test_the_chip_ends_a_connection(device: Device, world: World, connect) -> None:
    peer = await connect(
        """
    async def main():
        handle = serve()
        print("serving")
        go = asyncio.ThreadSafeFlag()
        ble.irq(lambda event, data: event == 2 and print("gone") or event == 3 and go.set())
        await go.wait()
        print(ble.gap_disconnect(0))
        error(ble.gap_disconnect, 0)
        await sleep()
    asyncio.run(main())
    """
    )
    end = ended(peer)
    world.air_ble.interval_ms = 300  # so that it is not over before it is asked for again
    await value_of(peer).write_value(b"go", with_response=False)
    assert await end == ENDED_BY_THE_OTHER
    await device.expect("^gone$")
    assert device.lines[-3:] == ["True", "errno 114", "gone"]  # EALREADY


async def test_who_stops_the_stack_sees_the_end_of_its_connections_first(device: Device, connect) -> None:
    peer = await connect(
        """
    async def main():
        handle = serve()
        print("serving")
        go = asyncio.ThreadSafeFlag()
        ble.irq(lambda event, data: event == 2 and print("gone") or event == 3 and go.set())
        await go.wait()
        print("inactive", not ble.active(False))
        serve()
        await sleep()
    asyncio.run(main())
    """
    )
    end = ended(peer)
    await value_of(peer).write_value(b"go", with_response=False)
    assert await end == ENDED_BY_THE_OTHER
    await device.expect("^gone$")
    await device.expect("^inactive True$")
    await connect()


RESET = """
    async def main():
        handle = serve()
        print("serving")
        go = asyncio.ThreadSafeFlag()
        ble.irq(lambda event, data: event == 3 and go.set())
        await go.wait()
        import machine
        machine.HOW()
    asyncio.run(main())
"""


@pytest.mark.parametrize(("how", "reason"), [("reset", TIMED_OUT), ("soft_reset", ENDED_BY_THE_OTHER)])
async def test_a_reset_ends_the_connection(device: Device, connect, how: str, reason: int) -> None:
    peer = await connect(RESET.replace("HOW", how))
    end = ended(peer)
    await value_of(peer).write_value(b"go", with_response=False)
    assert await end == reason
    await device.expect("^serving$")  # in its next life
    await connect()


async def test_a_loss_of_power_ends_the_connection(device: Device, connect) -> None:
    end = ended(await connect())
    await device.power_off()
    assert await end == TIMED_OUT


async def test_a_broken_link_is_noticed_on_both_sides(device: Device, world: World, connect) -> None:
    end = ended(await connect())
    world.air_ble.break_links(device.chip.ble.address)
    assert await end == TIMED_OUT
    await device.expect("^event 2 ")


async def test_in_a_silent_air_links_stay_and_nothing_passes(device: Device, world: World, connect) -> None:
    peer = await connect()
    world.air_ble.silent = True
    lost = asyncio.create_task(value_of(peer).write_value(b"lost", with_response=True))
    await asyncio.sleep(0.3)
    assert not lost.done() and peer.connection.handle in peer.connection.device.connections
    assert not [line for line in device.lines if line.startswith("event 3")]
    lost.cancel()


async def test_four_phones_and_no_more(device: Device, connect) -> None:
    program = """
    async def main():
        def on_event(event, data):
            print(event, data[0])
            if event == 1:
                error(ble.gap_advertise, 30_000)
        serve()
        ble.irq(on_event)
        print("serving")
        await sleep()
    asyncio.run(main())
    """
    peers = [await connect(program) for _ in range(4)]
    for n in range(4):
        await device.expect(f"^1 {n}$")
    await device.expect("^errno 12$")  # ENOMEM
    await value_of(peers[2]).write_value(b"third", with_response=True)
    await device.expect("^3 2$")
    await peers[1].connection.disconnect()
    await device.expect("^2 1$")
    assert await value_of(peers[3]).read_value() == b"third"


async def test_the_air_can_be_listened_to(device: Device, world: World, connect) -> None:
    heard: list[Packet] = []
    world.air_ble.on_packet = heard.append
    peer = await connect()
    await value_of(peer).write_value(b"what was sent", with_response=True)
    await value_of(peer).read_value()
    chip, phone = device.chip.ble.address, "c0:00:00:00:00:01"
    assert heard == world.air_ble.captured
    directions = [(packet.source, packet.destination) for packet in heard if b"what was sent" in packet.data]
    assert directions == [(phone, chip), (chip, phone)]


def test_who_has_no_bluetooth_does_not_pay_for_it() -> None:
    source = "import sys, tools.sim; sys.exit('bumble' in sys.modules)"
    subprocess.run([sys.executable, "-c", source], check=True)
