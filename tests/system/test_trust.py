"""The clock and the server's certificate: whom the device believes."""

import datetime
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from tests.patience import until
from tests.system.house import HOST, START_S, House, ask, both_chains, status
from tests.system.impostor import Impostor, impostor
from tools.ble.phone import set_up
from tools.cloud.ca import CHAINS, Authority, ServerChain
from tools.configure import configure
from tools.sim import Device
from tools.sim.ntp import NtpBehaviour

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
LOG_YEAR = """
    import time

    async def main(thing):
        await thing.wait("cloud_up")
        thing.log.info("app", "year {}", time.gmtime()[0])
"""
THIS_YEAR = datetime.datetime.now(datetime.UTC).year
FOREVER = datetime.datetime(2049, 1, 1)


@pytest.mark.slow
async def test_without_an_answer_from_ntp_an_estimate_has_to_do(house: House) -> None:
    house.world.ntp.mode = "silent"
    device = house.device()
    await house.normal(device)
    await device.expect(r"clock: set by estimate", START_S)
    await device.expect(ACKNOWLEDGED)
    house.world.ntp.mode = "answers"
    await device.expect(r"clock: set by sntp")


@pytest.mark.slow
async def test_nonsense_from_ntp_is_no_answer(house: House) -> None:
    house.world.ntp.mode = "garbage"
    device = house.device()
    await house.normal(device)
    await device.expect(r"W clock: .* packets that answer no request", START_S)
    await device.expect(r"clock: set by estimate", START_S)


@pytest.mark.slow
async def test_a_time_before_the_build_is_not_believed(house: House) -> None:
    house.world.ntp.offset_s = -10 * 365 * 86400
    device = house.device()
    await house.normal(device)
    await device.expect(r"W clock: .*an answer from before this firmware was built", START_S)
    await device.expect(r"clock: set by estimate", START_S)


@pytest.mark.slow
async def test_the_last_time_known_is_better_than_the_build(house: House) -> None:
    device = house.device(LOG_YEAR, BUILT=(2020, 1, 2))
    await house.normal(device)
    await device.expect(r"clock: set by sntp", START_S)
    await device.expect(rf"app: year {THIS_YEAR}", START_S)
    await device.power_off()  # its clock starts in 2000 again
    house.world.ntp.mode = "silent"
    await device.power_on()
    await device.expect(r"clock: set by estimate", START_S)
    await device.expect(rf"app: year {THIS_YEAR}", START_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "built"),
    [
        (f"{THIS_YEAR} 1 2 3 4 5\n", (2020, 1, 2)),
        ("nonsense", (THIS_YEAR, 1, 2)),
        ("", (THIS_YEAR, 1, 2)),
        ("999999999 99", (THIS_YEAR, 1, 2)),
    ],
)
async def test_the_time_of_the_deployment_counts_where_it_is_told(
    house: House, left: str, built: tuple[int, int, int]
) -> None:
    house.world.ntp.mode = "silent"
    device = house.device(LOG_YEAR, BUILT=built)
    (device.files / "built.txt").write_text(left)
    await house.normal(device)
    await device.expect(r"clock: set by estimate", START_S)
    await device.expect(rf"app: year {THIS_YEAR}", START_S)


@pytest.mark.slow
async def test_the_time_of_the_build_is_better_than_the_year_2000(house: House) -> None:
    house.world.ntp.mode = "silent"
    device = house.device(LOG_YEAR, BUILT=(2024, 5, 6))
    await house.normal(device)
    await device.expect(r"app: year 2024")


NOT_TRUSTED, WRONG_NAME = "not correctly signed by the trusted CA", "does not match with the expected CN"


@pytest.mark.parametrize(
    ("server_chain", "host", "until", "trusted", "reason"),
    [
        ("p256", HOST, FOREVER, False, NOT_TRUSTED),
        ("p256", "other.example.com", FOREVER, True, WRONG_NAME),
        ("p256", HOST, datetime.datetime(2024, 1, 1), True, "validity has expired"),
        ("rsa", HOST, FOREVER, False, NOT_TRUSTED),
        ("rsa", "other.example.com", FOREVER, True, WRONG_NAME),
    ],
    ids=["wrong CA", "wrong name", "expired", "RSA, wrong CA", "RSA, wrong name"],
)
async def test_a_server_that_proves_nothing_learns_nothing(
    house: House,
    server_chain: ServerChain,
    host: str,
    until: datetime.datetime,
    trusted: bool,
    reason: str,
) -> None:
    device = house.device()
    async with impostor(house.folder, host, until, server_chain=server_chain) as server:
        house.world.hosts[HOST] = ("127.0.0.1", server.port)
        document = house.configuration(root_ca=server.root) if trusted else house.configuration()
        await house.normal(device, document)
        await device.expect(rf"W provisioning: .*{reason}", START_S)
        await device.expect(r"provisioning: connecting", START_S)  # it goes on trying
    assert not any(server.heard), "the device talked to a server that it could not verify"


@both_chains
async def test_of_two_roots_the_one_that_fits_counts(house: House, server_chain: ServerChain) -> None:
    """A product may trust two clouds: the same roots, in the same order, lead to either."""
    roots = {server_chain: house.cloud.root_ca}
    for other in set(CHAINS) - {server_chain}:
        (house.folder / other).mkdir()
        roots[other] = Authority(house.folder / other, other).root_pem
    device = house.device()
    await house.telemetry(device, house.configuration(root_ca=roots["p256"] + roots["rsa"]))
    house.world.wifi_lost(True)
    await device.expect(r"wifi: lost", START_S)
    house.world.wifi_lost(False)
    await device.expect(r"cloud: connected, session kept: True")
    assert (await status(device))["cloud"] is True


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "SUBSCRIBE|UNSUBSCRIBE|PUBLISH|packet|PUB"),
        (b"\x20\x02\x00", "closed by the broker"),
        (b"\x20\x02\x00\x09", "CONNACK"),
        (b"\x20\x02\x00\x05", "not authorized"),
        (b"\x20\xff\xff\xff\xff\xff", "CONNACK"),
        (b"\x30\x05\x00\x01a\x00\x01", "before CONNACK"),
        (b"\x20\x02\x00\x00\x30\xff\xff\xff\x7f", "PUBLISH|closed"),
        (b"\x20\x02\x00\x00\xf0\x00", "packet type 15"),
    ],
    ids=["HTTP", "truncated", "bad code", "refused", "bad length", "too early", "oversized", "unknown type"],
)
async def test_garbage_from_the_broker_ends_the_connection_with_its_reason(
    house: House, answer: bytes, reason: str
) -> None:
    device = house.device()
    async with impostor(house.folder, HOST, answer=answer) as server:
        house.world.hosts[HOST] = ("127.0.0.1", server.port)
        await house.normal(device, house.configuration(root_ca=server.root))
        await device.expect(rf"W provisioning: .*({reason})", START_S)
        assert (await status(device))["mode"] == "NORMAL"
        await device.expect(r"provisioning: connecting", START_S)
    assert server.heard[0][:1] == b"\x10"


LIE_S = 28 * 365 * 86400  # behind the end of every certificate, within the life of a firmware


@pytest.mark.slow
async def test_one_time_server_that_is_years_ahead_locks_nobody_out(house: House) -> None:
    """The other one is silent; and what it said is not remembered."""
    house.world.time_servers["pool.ntp.org"] = NtpBehaviour(offset_s=LIE_S)
    house.world.ntp.mode = "silent"
    device = house.device(LOG_YEAR)
    await house.normal(device)
    await device.expect(r"W clock: a certificate's dates speak against the time of .*pool", START_S)
    await device.expect(rf"app: year {THIS_YEAR}")
    await device.power_off()
    house.world.time_servers["pool.ntp.org"].mode = "silent"
    await device.power_on()
    await device.expect(rf"app: year {THIS_YEAR}")


async def test_of_two_time_servers_that_differ_the_next_is_asked_at_once(house: House) -> None:
    house.world.time_servers["pool.ntp.org"] = NtpBehaviour(offset_s=LIE_S)
    house.world.ntp.late_s = 1
    device = house.device(LOG_YEAR, BUILT=(THIS_YEAR - 1, 1, 2))
    await house.normal(device)
    await device.expect(r"W clock: a certificate's dates speak against", START_S)
    await device.expect(rf"app: year {THIS_YEAR}", START_S)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["zero", "kiss"])
async def test_an_answer_without_a_time_is_refused(house: House, mode: Literal["zero", "kiss"]) -> None:
    house.world.ntp.mode = mode
    device = house.device(LOG_YEAR)
    await house.normal(device)
    await device.expect(r"W clock: pool.ntp.org: (an answer without a time|it sends away)", START_S)
    await device.expect(rf"app: year {THIS_YEAR}")


# A cloud whose certificate is younger than the firmware, and no time server: somebody has to tell the time.

FUTURE = r"W provisioning: .*validity starts in the future"


@asynccontextmanager
async def young_cloud(house: House) -> AsyncIterator[tuple[Impostor, Device, dict[str, Any]]]:
    """It accepts whoever comes, and hangs up; with a device of 2024 and the configuration for it."""
    house.world.ntp.mode = "silent"
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    async with impostor(house.folder, HOST, FOREVER, b"\x20\x02\x00\x00", since=since) as server:
        house.world.hosts[HOST] = ("127.0.0.1", server.port)
        yield server, house.device(BUILT=(2024, 5, 6)), house.configuration(root_ca=server.root)


@pytest.mark.slow
async def test_the_console_tells_the_time(house: House) -> None:
    async with young_cloud(house) as (server, device, document):
        await house.normal(device, document)
        await device.expect(FUTURE, START_S)
        assert not server.heard
        for wrong in ("", "now", "-1", "1", f"{int(time.time()) + 40 * 365 * 86400}"):
            assert (await ask(device, f"time {wrong}")).startswith("error time")
        assert await ask(device, f"time {int(time.time())}") == "ok taken as an estimate"
        await until(lambda: server.heard, "a connection")


@pytest.mark.slow
async def test_the_cable_tells_the_time_which_a_cut_of_power_does_not_take(house: House) -> None:
    async with young_cloud(house) as (server, device, document):
        await device.power_on()
        await device.expect(r"system: mode CONFIG", START_S)
        await configure(lambda line: ask(device, line), document, now_s=time.time())
        await device.expect(r"system: mode NORMAL", START_S)
        await device.power_off()
        assert not server.heard
        await device.power_on()
        await until(lambda: server.heard, "a connection")
        assert not any(re.search(FUTURE, line) for line in device.lines)


@pytest.mark.slow
async def test_the_phone_tells_the_time(house: House) -> None:
    async with young_cloud(house) as (server, device, document):
        await device.power_on()
        code = (await device.expect(r"I ble: code (\S+)", START_S))[1]
        await set_up(house.world, "esp32-240ac4000001", code, document)
        await until(lambda: server.heard, "a connection")
        assert not any(re.search(FUTURE, line) for line in device.lines)
