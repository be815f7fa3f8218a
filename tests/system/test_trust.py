"""The clock and the server's certificate: whom the device believes."""

import datetime

import pytest

from tests.system.house import HOST, START_S, House, both_chains, status
from tests.system.impostor import impostor
from tools.cloud.ca import CHAINS, Authority, ServerChain

ACKNOWLEDGED = r"app: telemetry \d+ acknowledged"
LOG_YEAR = """
    import time

    async def main(thing):
        await thing.wait("cloud_up")
        thing.log.info("app", "year {}", time.gmtime()[0])
"""
THIS_YEAR = datetime.datetime.now(datetime.UTC).year
FOREVER = datetime.datetime(2049, 1, 1)


async def test_without_an_answer_from_ntp_an_estimate_has_to_do(house: House) -> None:
    house.world.ntp.mode = "silent"
    device = house.device()
    await house.normal(device)
    await device.expect(r"clock: set by estimate", START_S)
    await device.expect(ACKNOWLEDGED, 60)
    house.world.ntp.mode = "answers"
    await device.expect(r"clock: set by sntp", 60)


async def test_nonsense_from_ntp_is_no_answer(house: House) -> None:
    house.world.ntp.mode = "garbage"
    device = house.device()
    await house.normal(device)
    await device.expect(r"W clock: .* packets that answer no request", START_S)
    await device.expect(r"clock: set by estimate", START_S)


async def test_a_time_before_the_build_is_not_believed(house: House) -> None:
    house.world.ntp.offset_s = -10 * 365 * 86400
    device = house.device()
    await house.normal(device)
    await device.expect(r"W clock: .*an answer from before this firmware was built", START_S)
    await device.expect(r"clock: set by estimate", START_S)


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


async def test_the_time_of_the_build_is_better_than_the_year_2000(house: House) -> None:
    house.world.ntp.mode = "silent"
    device = house.device(LOG_YEAR, BUILT=(2024, 5, 6))
    await house.normal(device)
    await device.expect(r"app: year 2024", 60)


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
    await device.expect(r"cloud: connected, session kept: True", 60)
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
