"""aioble on a simulated chip: ours, and where there is one the real package over our `bluetooth`."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from bumble.att import ATT_Error
from bumble.controller import LegacyAdvertiser
from bumble.core import UUID, AdvertisingData
from bumble.device import Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_LE_Set_Advertising_Parameters_Command

from tests.patience import PATIENCE_S, until
from tools.sim import Device, World
from tools.sim.ble.phone import subscribe


@pytest.fixture(params=["ours", pytest.param("real", marks=pytest.mark.aioble)])
def aioble(request: pytest.FixtureRequest) -> str:
    return os.environ["AIOBLE"] if request.param == "real" else ""


START = """
    import aioble, asyncio, bluetooth
    SERVICE, FIRST, SECOND = (bluetooth.UUID(n) for n in (0x1815, 0x2A56, 0x2A57))
    ALL = {"read": True, "write": True, "write_no_response": True, "notify": True, "indicate": True}
    async def advertise(**keywords):
        return await aioble.advertise(30_000, name="lamp", services=[SERVICE], **keywords)
    def error(function, *arguments, **keywords):
        try:
            print("no error", function(*arguments, **keywords))
        except (OSError, ValueError, TypeError) as error:
            print(type(error).__name__, getattr(error, "errno", None) or error)
"""
RUN = """
    asyncio.run(main())
"""


def program(main: str) -> str:
    return START + main + RUN


@pytest.fixture
def connect(device: Device, world: World, load) -> Callable[..., Awaitable[Peer]]:
    """Run a program on the chip, unless it runs, and connect a new phone to it."""

    async def connect(main: str = "", mtu: int = 23) -> Peer:
        if main:
            load(program(main))
            await device.power_on()
        phone = await world.phone(mtu)
        return await phone.connect(device.chip.ble.address, timeout_s=PATIENCE_S)

    return connect


def value_of(peer: Peer, number: int = 0x2A56) -> CharacteristicProxy:
    return peer.get_characteristics_by_uuid(UUID.from_16_bits(number))[0]


async def scan(device: Device, world: World) -> AdvertisingData:
    return await (await world.phone()).scan(device.chip.ble.address, timeout_s=PATIENCE_S)


def advertisers(world: World) -> list[LegacyAdvertiser]:
    """Those on the air that advertise."""
    every = [radio.le_legacy_advertiser for radio in world.air_ble.controllers]
    return [one for one in every if one.enabled]


async def test_advertising_fills_the_advertisement_first(device: Device, world: World, load) -> None:
    load(
        program(
            """
    async def main():
        long = bluetooth.UUID("5704246a-5d4c-4f19-9b53-157d8824063d")
        await aioble.advertise(
            30_000,
            name="twelve bytes",
            services=[SERVICE, long],
            appearance=0x0540,
            manufacturer=(0x2E5, b"x"),
        )
    """
        )
    )
    await device.power_on()
    await scan(device, world)
    (advertiser,) = advertisers(world)
    uuid = bytes(UUID("5704246a-5d4c-4f19-9b53-157d8824063d"))
    assert advertiser.advertising_data == (
        b"\x02\x01\x06" + b"\x03\x03\x15\x18" + b"\x11\x07" + uuid + b"\x03\x19\x40\x05"
    )
    assert advertiser.scan_response_data == b"\x0d\x09twelve bytes" + b"\x04\xff\xe5\x02x"


@pytest.mark.parametrize(
    ("arguments", "advertisement", "kind"),
    [
        ("limited_disc=True", b"\x02\x01\x05", "ADV_IND"),
        ("br_edr=True", b"\x02\x01\x1a", "ADV_IND"),
        ("connectable=False", b"\x02\x01\x06", "ADV_SCAN_IND"),
        ('name=b"bytes"', b"\x02\x01\x06\x06\x09bytes", "ADV_IND"),
        # A text's length is taken in characters, so who listens misses its end.
        ('name="caf\u00e9"', b"\x02\x01\x06\x05\x09" + "caf\u00e9".encode(), "ADV_IND"),
        ('adv_data=b"\\x02\\x01\\x06", name="not in it"', b"\x02\x01\x06", "ADV_IND"),
        ('resp_data=b"\\x03\\x09ab", name="not in it"', b"", "ADV_IND"),
    ],
)
async def test_kinds_of_advertisement(
    device: Device, world: World, load, arguments: str, advertisement: bytes, kind: str
) -> None:
    load(program(f"    async def main():\n        await aioble.advertise(30_000, {arguments})"))
    await device.power_on()
    await until(lambda: advertisers(world), "an advertisement")
    (advertiser,) = advertisers(world)
    assert advertiser.advertising_data == advertisement
    assert advertiser.advertising_type == HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType[kind]


async def test_what_fits_neither_is_refused(run) -> None:
    lines = await run(
        program(
            """
    async def main():
        for size in (28, 29):
            try:
                await aioble.advertise(30_000, name=size * "x", timeout_ms=10)
            except asyncio.TimeoutError:
                print("advertised")
            except ValueError as error:
                print(error)
    """
        )
    )
    assert lines == ["advertised", "Advertising payload too long"]


async def test_an_advertisement_can_be_given_as_it_is(device: Device, world: World, load) -> None:
    load(
        program(
            """
    async def main():
        await aioble.advertise(30_000, adv_data=b"\\x02\\x01\\x05", resp_data=b"\\x03\\x09ab")
    """
        )
    )
    await device.power_on()
    heard = await scan(device, world)
    assert heard.get(AdvertisingData.FLAGS) == 5 and heard.get(AdvertisingData.COMPLETE_LOCAL_NAME) == "ab"


async def test_advertise_swallows_its_cancellation_and_raises_its_timeout(device: Device, run) -> None:
    lines = await run(
        program(
            """
    async def main():
        async def forever():
            print("returned", await advertise())
            print("and goes on")
        task = asyncio.create_task(forever())
        await asyncio.sleep_ms(50)
        task.cancel()
        await task
        try:
            await advertise(timeout_ms=20)
        except asyncio.TimeoutError:
            print("timeout")
        service = aioble.Service(SERVICE)
        aioble.register_services(service)  # so it has stopped
    """
        )
    )
    assert lines == ["returned None", "and goes on", "timeout"]


SERVE = """
    async def main():
        service = aioble.Service(SERVICE)
        first = aioble.Characteristic(service, FIRST, initial=b"first", **ALL)
        second = aioble.Characteristic(service, SECOND, **ALL)
        aioble.register_services(service)
        connection = await advertise()
        print("connected", connection.device.addr_hex())
"""


async def test_addresses(run) -> None:
    lines = await run(
        program(
            """
    async def main():
        public = aioble.Device(aioble.ADDR_PUBLIC, "24:0a:c4:00:00:03")
        random = aioble.Device(aioble.ADDR_RANDOM, bytes([0x24, 0x0A, 0xC4, 0, 0, 3]))
        print(aioble.ADDR_PUBLIC, aioble.ADDR_RANDOM, public, random.addr_hex(), random.addr == public.addr)
        print(public == random, random == aioble.Device(1, public.addr), len({public, random, random}))
    """
        )
    )
    assert lines == [
        "0 1 Device(ADDR_PUBLIC, 24:0a:c4:00:00:03) 24:0a:c4:00:00:03 True",
        "False True 2",
    ]


async def test_a_connection_and_its_device(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        print(connection.device, connection.is_connected(), connection.mtu)
        assert await second.written() is connection
        print(connection.mtu, connection.device == aioble.Device(1, "c0:00:00:00:00:01"))
        await connection.disconnected()
        print(connection.device, connection.is_connected())
        await connection.disconnected()
        await connection.disconnect()
    """,
        mtu=100,
    )
    await value_of(peer, 0x2A57).write_value(b"x", with_response=True)
    await peer.connection.disconnect()
    await device.expect("^end of main.py$")
    assert device.lines[0] == "connected c0:00:00:00:00:01"
    assert device.lines[1].startswith("Device(ADDR_RANDOM, c0:00:00:00:00:01, CONNECTED) True ")
    assert device.lines[2:] == [
        "100 True",
        "Device(ADDR_RANDOM, c0:00:00:00:00:01) False",
        "end of main.py",
    ]


async def test_values_are_read_and_written_from_both_sides(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        second.on_read = lambda connection: second.write(b"asked") or 0
        for _ in range(2):
            assert await first.written() is connection
            print(first.read())
        first.write(b"a local value is not cut to twenty bytes")
        try:
            await first.written(timeout_ms=10)
        except asyncio.TimeoutError:
            print("timeout")
        await connection.disconnected()
    """,
        mtu=247,
    )
    value = value_of(peer)
    assert await value.read_value() == b"first"
    await value.write_value(b"one", with_response=True)
    await device.expect("b'one'")
    await value.write_value(b"0123456789" * 3, with_response=True)
    await device.expect("^b'01234567890123456789'$")
    await device.expect("^timeout$")
    assert await value.read_value() == b"a local value is not cut to twenty bytes"
    assert await value_of(peer, 0x2A57).read_value() == b"asked"


async def test_a_read_can_be_refused(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        first.on_read = lambda by: print("asked", by is connection) or 5
        await connection.disconnected()
    """
    )
    await device.expect("^connected ")
    with pytest.raises(ATT_Error) as refused:
        await value_of(peer).read_value()
    assert refused.value.error_code == 5
    await device.expect("^asked True$")


async def test_descriptors_are_values_too(device: Device, connect) -> None:
    peer = await connect(
        """
    async def main():
        service = aioble.Service(SERVICE)
        first = aioble.Characteristic(service, FIRST, read=True)
        uuid = bluetooth.UUID(0x2901)
        fixed = aioble.Descriptor(first, uuid, read=True, initial=b"fixed")
        free = aioble.Descriptor(first, bluetooth.UUID(0x2912), read=True, write=True, initial=b"free")
        aioble.register_services(service)
        print(service.uuid == SERVICE, service.characteristics == [first], first.descriptors == [fixed, free])
        print(first.uuid == FIRST, fixed.uuid == uuid, first.flags, fixed.flags, free.flags)
        connection = await advertise()
        print(await fixed.written(), await free.written() is connection, free.read())
        free.write(b"by the chip")
        print("ready")
        await connection.disconnected()
    """
    )
    descriptors = await value_of(peer).discover_descriptors()
    by_number = {int.from_bytes(bytes(one.type), "little"): one for one in descriptors}
    assert await by_number[0x2901].read_value() == b"fixed"
    assert await by_number[0x2912].read_value() == b"free"
    await by_number[0x2912].write_value(b"by the phone", with_response=True)
    await device.expect("^ready$")
    assert await by_number[0x2912].read_value() == b"by the chip"
    assert device.lines[:3] == ["True True True", "True True 2 2 10", "None True b'by the phone'"]


async def test_a_buffer_that_appends_is_emptied_by_reading(device: Device, connect) -> None:
    peer = await connect(
        """
    async def main():
        service = aioble.Service(SERVICE)
        first = aioble.BufferedCharacteristic(service, FIRST, max_len=8, append=True, **ALL)
        second = aioble.Characteristic(service, SECOND, **ALL)
        aioble.register_services(service)
        connection = await advertise()
        await second.written()
        print(first.read(), first.read())
        await connection.disconnected()
    """
    )
    for part in (b"abc", b"def", b"ghi"):
        await value_of(peer).write_value(part, with_response=True)
    await value_of(peer, 0x2A57).write_value(b"go", with_response=True)
    await device.expect("^b'abcdefgh' b''$")


async def test_before_it_is_registered_a_value_is_kept_aside(run) -> None:
    lines = await run(
        program(
            """
    async def main():
        service = aioble.Service(SERVICE)
        plain = aioble.Characteristic(service, FIRST, read=True)
        buffered = aioble.BufferedCharacteristic(service, SECOND, read=True, initial=b"lost", max_len=100)
        descriptor = aioble.Descriptor(plain, bluetooth.UUID(0x2901), read=True, initial=b"described")
        print(plain.read(), buffered.read(), plain.flags, buffered.flags, await plain.written())
        plain.write(b"kept")
        aioble.register_services(service)
        print(plain.read(), buffered.read(), descriptor.read())
        aioble.register_services(service)
        print(plain.read())  # what was registered once has no initial value any more
        error(plain.notify, None)
        try:
            await plain.indicate(None)
        except ValueError as error_:
            print(error_)
        captured = aioble.Characteristic(service, FIRST, write=True, capture=True)
        print(aioble.config("gap_name"), captured.flags)
        aioble.stop()
        print(bluetooth.BLE().active())
    """
        )
    )
    assert lines == [
        "b'' b'lost' 2 2 None",
        "b'kept' b'' b'described'",
        "b''",
        "ValueError Not supported",
        "Not supported",
        "b'MPY ESP32' 65544",
        "False",
    ]


@pytest.mark.parametrize(("mtu", "size"), [(23, 20), (247, 244), (517, 512)])
async def test_a_buffered_characteristic_takes_what_the_mtu_allows(
    device: Device, connect, mtu, size
) -> None:
    peer = await connect(
        """
    async def main():
        aioble.config(mtu=517)
        service = aioble.Service(SERVICE)
        first = aioble.BufferedCharacteristic(service, FIRST, max_len=512, capture=True, **ALL)
        aioble.register_services(service)
        connection = await advertise()
        while True:
            by, data = await first.written()
            print(by is connection, len(data), connection.mtu)
            first.notify(connection, data)
    """,
        mtu,
    )
    value = value_of(peer)
    values = await subscribe(value)
    data = bytes(i % 251 for i in range(size))
    await value.write_value(data, with_response=False)
    assert await values.get() == data
    await device.expect(f"^True {size} {mtu if mtu > 23 else None}$")


async def test_all_captures_share_one_queue_that_drops_the_oldest(device: Device, connect) -> None:
    """What was handed out to a characteristic already stays; behind it ten wait, whoever's they are."""
    peer = await connect(
        """
    async def main():
        service = aioble.Service(SERVICE)
        first = aioble.Characteristic(service, FIRST, capture=True, **ALL)
        second = aioble.Characteristic(service, SECOND, capture=True, **ALL)
        third = aioble.Characteristic(service, bluetooth.UUID(0x2A58), **ALL)
        aioble.register_services(service)
        connection = await advertise()
        await third.written()
        async def read(value, name):
            while True:
                by, data = await value.written()
                print(name, data)
        tasks = [asyncio.create_task(read(first, "first")), asyncio.create_task(read(second, "second"))]
        await connection.disconnected()
    """
    )
    for n in range(14):
        await value_of(peer, 0x2A56 + n % 2).write_value(b"%d" % n, with_response=True)
    await value_of(peer, 0x2A58).write_value(b"go", with_response=True)
    for n in (0, *range(4, 14)):
        await device.expect(f"^{('first', 'second')[n % 2]} b'{n}'$")
    assert len(device.lines) == 11


async def test_without_capture_writes_are_one_event_and_the_last_value(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        await second.written()
        await first.written()
        print(first.read())
        try:
            await first.written(timeout_ms=20)
        except asyncio.TimeoutError:
            print("timeout")
    """
    )
    for n in range(3):
        await value_of(peer).write_value(b"%d" % n, with_response=True)
    await value_of(peer, 0x2A57).write_value(b"go", with_response=True)
    await device.expect("^b'2'$")
    await device.expect("^timeout$")


async def test_notifications_and_indications(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        await first.written()
        first.write(b"updated", send_update=True)
        first.notify(connection)
        first.notify(connection, 30 * b"x")
        await second.indicate(connection, b"indicated")
        print("confirmed")
        task = asyncio.create_task(second.indicate(connection, b"again"))
        await asyncio.sleep(0)
        try:
            await second.indicate(connection)
        except ValueError as error_:
            print(error_)
        await task
        await connection.disconnect()
        error(first.notify, connection, b"")
        try:
            await second.indicate(connection)
        except ValueError as error_:
            print(error_)
    """
    )
    notified = await subscribe(value_of(peer))
    indicated: asyncio.Queue[bytes] = asyncio.Queue()
    await value_of(peer, 0x2A57).subscribe(indicated.put_nowait, prefer_notify=False)
    await value_of(peer).write_value(b"go", with_response=True)
    assert [await notified.get() for _ in range(3)] == [b"updated", b"updated", 20 * b"x"]
    assert [await indicated.get() for _ in range(2)] == [b"indicated", b"again"]
    await device.expect("^end of main.py$")
    first, second, third, fourth, *_ = device.lines[1:]
    assert (first, second, fourth) == ("confirmed", "In progress", "Not connected")
    assert third.startswith("TypeError")


@pytest.mark.parametrize("end", ["time", "loss"])
async def test_an_indication_that_nobody_confirms(device: Device, world: World, connect, end: str) -> None:
    peer = await connect(
        SERVE
        + """
        await first.written()
        task = asyncio.create_task(second.indicate(connection, b"unheard", timeout_ms=TIMEOUT))
        await asyncio.sleep(0)
        print("sent")
        try:
            await task
        except asyncio.TimeoutError:
            print("no answer", connection.is_connected())
        except aioble.DeviceDisconnectedError:
            print("gone", connection.is_connected())
        await connection.disconnected()
    """.replace("TIMEOUT", "300" if end == "time" else "None")
    )
    await value_of(peer).write_value(b"go", with_response=True)
    world.air_ble.silent = True
    await device.expect("^sent$")
    if end == "time":
        await device.expect("^no answer True$")
        world.air_ble.break_links()
    else:
        world.air_ble.break_links()
        await device.expect("^gone False$")
    await device.expect("^end of main.py$")


async def test_who_sends_carelessly_runs_out_of_memory(device: Device, world: World, connect) -> None:
    peer = await connect(
        SERVE
        + """
        await first.written()
        sent = 0
        try:
            while True:
                first.notify(connection, bytes([sent]))
                sent += 1
        except OSError as error:
            print("sent", sent, error.errno)
        await connection.disconnected()
    """
    )
    values = await subscribe(value_of(peer))
    world.air_ble.interval_ms = 200  # so that what it sends waits, however slow the chip is
    await value_of(peer).write_value(b"go", with_response=True)
    sent = await device.expect(r"^sent (\d+) 12$")
    assert [await values.get() for _ in range(int(sent[1]))] == [bytes([n]) for n in range(int(sent[1]))]
    assert 8 <= int(sent[1]) < 60


LIMITS = """
        await first.written()
        with connection.timeout(None):
            pass
        try:
            with connection.timeout(30):
                await asyncio.sleep(30)
        except asyncio.TimeoutError:
            print("timeout")
        async def wait():
            try:
                with connection.timeout(60_000):
                    await first.written()
            except aioble.DeviceDisconnectedError:
                print("disconnected")
        async def wait_for_cancel():
            try:
                with connection.timeout(60_000):
                    await second.written()
            except asyncio.CancelledError:
                print("cancelled")
                raise
        tasks = [asyncio.create_task(wait()), asyncio.create_task(wait_for_cancel())]
        await asyncio.sleep_ms(20)
        tasks[1].cancel()
        try:
            await tasks[1]
        except asyncio.CancelledError:
            pass
        print("still connected", connection.is_connected())
        END
        await tasks[0]
        print("over", connection.is_connected())
"""


@pytest.mark.parametrize("end", ["chip", "context", "phone", "loss"])
async def test_whoever_ends_a_connection_wakes_who_waits_on_it(
    device: Device, world: World, connect, end: str
) -> None:
    ending = {"chip": "await connection.disconnect()", "context": "async with connection: print('in')"}
    peer = await connect(SERVE + LIMITS.replace("END", ending.get(end, "pass")))
    await value_of(peer).write_value(b"go", with_response=True)
    await device.expect("^still connected True$")
    assert device.lines[1:3] == ["timeout", "cancelled"]
    if end == "phone":
        await peer.connection.disconnect()
    elif end == "loss":
        world.air_ble.break_links()
    await device.expect("^disconnected$")
    await device.expect("^over False$")


async def test_a_connection_without_pairing_and_its_waits_without_end(device: Device, connect) -> None:
    """A timeout of 0 is none, as None is; the end of the connection ends these too."""
    peer = await connect(
        SERVE
        + """
        print(connection.encrypted, connection.authenticated, connection.bonded, connection.key_size)
        async def wait(timeout_ms):
            try:
                with connection.timeout(timeout_ms):
                    await asyncio.sleep(3600)
            except aioble.DeviceDisconnectedError:
                print("disconnected", timeout_ms)
        tasks = [asyncio.create_task(wait(timeout_ms)) for timeout_ms in (0, None)]
        await first.written(timeout_ms=0)
        await connection.disconnect()
        for task in tasks:
            await task
    """
    )
    await value_of(peer).write_value(b"go", with_response=True)
    await device.expect("^end of main.py$")
    assert device.lines[1] == "False False False False"
    assert sorted(device.lines[2:4]) == ["disconnected 0", "disconnected None"]


async def test_two_who_disconnect_at_once(device: Device, world: World, connect) -> None:
    peer = await connect(
        SERVE
        + """
        await first.written()
        tasks = [asyncio.create_task(connection.disconnect()) for _ in range(2)]
        for task in tasks:
            await task
        print("over", connection.is_connected())
    """
    )
    world.air_ble.interval_ms = 300  # so that it is not over before it is asked for again
    await value_of(peer).write_value(b"go", with_response=True)
    await device.expect("^over False$")
    assert device.lines[1].startswith("[aioble] E: Disconnect ") and device.lines[2] == "over False"


async def test_while_advertising_nothing_is_registered(run) -> None:
    lines = await run(
        program(
            """
    async def main():
        service = aioble.Service(SERVICE)
        first = aioble.Characteristic(service, FIRST, read=True, initial=b"first")
        aioble.register_services(service)
        task = asyncio.create_task(advertise())
        await asyncio.sleep_ms(50)
        error(aioble.register_services, service)
        task.cancel()
        await task
        aioble.config(mtu=100, gap_name="lamp")
        print(aioble.config("mtu"), aioble.config("gap_name"), first.read())
    """
        )
    )
    assert lines[0].startswith("OSError ")
    assert lines[1:] == ["100 b'lamp' b'first'"]


async def test_a_wait_for_the_end_that_times_out_is_the_last(device: Device, connect) -> None:
    """The task that would notice the end is cancelled with the one that waits for it."""
    peer = await connect(
        SERVE
        + """
        try:
            await connection.disconnected(timeout_ms=20)
        except asyncio.TimeoutError:
            print("still connected")
        await asyncio.sleep_ms(20)
        await second.written()
        await asyncio.sleep_ms(300)
        print("in its own eyes", connection.is_connected())
    """
    )
    await device.expect("^still connected$")
    await value_of(peer, 0x2A57).write_value(b"bye", with_response=True)
    await peer.connection.disconnect()
    await device.expect("^in its own eyes True$")


async def test_stopping_ends_the_connection_and_leaves_nothing(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        await second.written()
        aioble.stop()
        await connection.disconnected()
        print("over", connection.is_connected())
        await main()
    """
    )
    await value_of(peer, 0x2A57).write_value(b"go", with_response=False)
    await device.expect("^over False$")
    peer = await connect()
    assert await value_of(peer).read_value() == b"first"


async def test_a_reset_while_connected(device: Device, connect) -> None:
    main = (
        SERVE
        + """
        await second.written()
        import machine
        machine.reset()
    """
    )
    peer = await connect(main)
    await value_of(peer, 0x2A57).write_value(b"go", with_response=False)
    peer = await connect()
    assert await value_of(peer).read_value() == b"first"


async def test_two_phones_at_once(device: Device, connect) -> None:
    peers = [
        await connect(
            """
    async def main():
        service = aioble.Service(SERVICE)
        first = aioble.Characteristic(service, FIRST, capture=True, **ALL)
        aioble.register_services(service)
        async def serve():
            connection = await advertise()
            print("connected", connection.device.addr_hex())
            await connection.disconnected()
            print("gone", connection.device.addr_hex())
        tasks = [asyncio.create_task(serve())]
        await asyncio.sleep(0)
        while len(tasks) < 2:
            await asyncio.sleep_ms(10)
            if aioble_connected():
                tasks.append(asyncio.create_task(serve()))
        while True:
            by, data = await first.written()
            print("written", by.device.addr_hex(), data)
            first.notify(by, data)
    seen = []
    def aioble_connected():
        return bool(seen)
    show = print
    def print(*arguments):
        seen.append(arguments)
        show(*arguments)
    """
        )
    ]
    peers.append(await connect())
    for n in (1, 2):
        await device.expect(f"^connected c0:00:00:00:00:0{n}$")
    queues = [await subscribe(value_of(peer)) for peer in peers]
    for n in (1, 0):
        await value_of(peers[n]).write_value(b"from %d" % n, with_response=True)
        await device.expect(f"^written c0:00:00:00:00:0{n + 1} b'from {n}'$")
        assert await queues[n].get() == b"from %d" % n
    assert queues[0].empty() and queues[1].empty()
    await peers[0].connection.disconnect()
    await device.expect("^gone c0:00:00:00:00:01$")
    await value_of(peers[1]).write_value(b"alone", with_response=True)
    await device.expect("^written c0:00:00:00:00:02 b'alone'$")


async def test_the_mtu_can_be_asked_for(device: Device, connect) -> None:
    peer = await connect(
        SERVE
        + """
        await first.written()
        print("mtu", await connection.exchange_mtu(100), connection.mtu)
        try:
            await connection.exchange_mtu()
        except OSError as error_:
            print("once", error_.errno)
        await connection.disconnect()
        try:
            await connection.exchange_mtu()
        except ValueError as error_:
            print(error_)
    """
    )
    await value_of(peer).write_value(b"go", with_response=True)
    await device.expect("^mtu 23 23$")
    await device.expect("^once 114$")  # EALREADY
    await device.expect("^Not connected$")
