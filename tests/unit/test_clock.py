"""The chip's clock: whom it believes, and when."""

import asyncio
from io import StringIO

from check import araises, raises
from clock_bench import BUILT_S, DAY_S, NOW_S, UNIX_2000_S, YEAR_S, Chip, Server, silent
from fakes import FakeNVS, Without

EXPIRED = "TLS: The certificate validity has expired"
FUTURE = "TLS: The certificate validity starts in the future"


def remembering(seconds):
    nvs = FakeNVS()
    nvs.set_i32("last_time", seconds)
    return nvs


async def started(chip, limit_ms=20000, **arguments):
    """A clock that has run for so long."""
    with chip:
        clock = chip.clock(**arguments)
        await chip.run(clock, limit_ms)
    return clock


def at_once(chip, how):
    return [event for _, event in chip.events] == [how] and chip.events[0][0] < 100


async def test_two_servers_that_agree_set_it_at_once():
    chip = Chip({"a": Server(), "b": Server(3)})
    clock = await started(chip)
    assert clock.state == "sntp" and -1 <= chip.off_s() <= 4
    assert at_once(chip, "sntp")


async def test_one_server_is_enough_for_what_is_near():
    for known in (NOW_S - DAY_S + 60, NOW_S + DAY_S - 60):
        chip = Chip({"a": Server(), "b": Server(packet=silent)}, remembering(known))
        await started(chip)
        assert at_once(chip, "sntp") and abs(chip.off_s()) <= 1


async def test_one_far_answer_is_an_estimate():
    chip = Chip({"a": Server(), "b": Server(packet=silent)})
    clock = await started(chip, 500000)
    assert clock.state == "estimate" and abs(chip.off_s()) <= 1
    assert 2000 <= chip.events[0][0] <= 2100, chip.events  # the other had its chance
    assert [how for _, how in chip.events] == ["estimate"]  # its own word makes it no truer


async def test_an_only_server_is_not_waited_for():
    chip = Chip({"a": Server()})
    await started(chip, 10000)
    assert at_once(chip, "estimate")


async def test_once_the_cloud_was_reached_an_estimate_becomes_certain():
    chip = Chip({"a": Server()})
    chip.at(5000, lambda: chip.made.tell("cloud_up", False))
    clock = await started(chip, 60000)
    assert clock.state == "sntp" and abs(chip.off_s()) <= 1


async def test_the_estimate_comes_when_it_is_due():
    """However many servers are silent, late, broken or hold the loop while their name is looked up."""
    unknown = OSError(-202, "EAI_FAIL")
    for servers in (
        {"a": Server(packet=silent)},
        {name: Server(packet=silent) for name in "abcd"},
        {name: Server(late_ms=9000) for name in "abcd"},
        {name: Server(error=unknown) for name in "abcd"},
        {"a": Server(packet=lambda packet: packet[:40] + bytes(8)), "b": Server(error=unknown)},
    ):
        chip = Chip(servers)
        await started(chip)
        assert [how for _, how in chip.events] == ["estimate"]
        assert 8000 <= chip.events[0][0] <= 8100, chip.events
        assert chip.set_to == [BUILT_S]


async def test_whatever_the_first_call_raises_the_estimate_comes_when_it_is_due():
    for name in ("socket", "setblocking", "getaddrinfo", "sendto", "recv", "close"):
        for error in (
            OSError(12, "ENOMEM"),
            ValueError("x"),
            MemoryError("x"),
            OverflowError("x"),
            TypeError("x"),
        ):
            chip = Chip({"a": Server(), "b": Server()})
            chip.faults[name] = error
            clock = await started(chip, 30000)
            due = chip.events and 8000 <= chip.events[0][0] <= 8100
            assert due or name == "close", (name, error, chip.events)
            assert clock.state == "estimate" and chip.log.lines, (name, error)
            chip.faults.clear()
            await started(chip, 90000)
            assert chip.made.state == "sntp", (name, error)


async def test_a_name_that_holds_the_loop_costs_the_others_nothing_for_long():
    dead = OSError(-202, "EAI_FAIL")
    chip = Chip({"a": Server(dns_ms=14000, error=dead), "b": Server(dns_ms=14000, error=dead), "c": Server()})
    await started(chip, 90000)
    assert chip.events[0][1] == "estimate" and chip.events[0][0] <= 14100, "after the one that was begun"
    assert chip.made.source == ("c",), chip.events


async def test_a_late_answer_counts():
    chip = Chip({"a": Server(late_ms=3500)}, remembering(NOW_S - 100))
    await started(chip)
    assert chip.events[0][1] == "sntp" and chip.events[0][0] < 3600 and abs(chip.off_s()) <= 5


async def test_what_is_no_time_is_refused():
    for packet, text in (
        (lambda p: p[:40] + bytes(8), "without a time"),
        (lambda p: b"\x24\0" + p[2:12] + b"RATE" + p[16:], "it sends away: RATE"),
        (lambda p: b"\xe4" + p[1:], "no synchronised server"),
        (lambda p: b"\x23" + p[1:], "no synchronised server"),
        (lambda p: b"\x24\x10" + p[2:], "no synchronised server"),
        (lambda p: p + b"x", "not 48 bytes"),
        (lambda p: p[:47], "not 48 bytes"),
        (lambda p: p[:24] + bytes(8) + p[32:], "packets that answer no request"),
        (lambda p: b"", "packets that answer no request"),
        (lambda p: p[:40] + b"\x40\0\0\0" + p[44:], "43 years after this firmware"),
        (lambda p: p[:40] + b"\xee\0\0\0" + p[44:], "from before this firmware"),
    ):
        servers = {"a": Server(packet=packet)}
        chip = Chip(servers)
        await started(chip, 10000)
        assert chip.set_to == [BUILT_S], text
        assert any([text in line for line in chip.log.lines]), (text, chip.log.lines)
    assert servers["a"].requests == 4, "every 2 s"


async def test_who_sends_away_is_not_asked_again_so_soon():
    server = Server(packet=lambda p: b"\x24\0" + p[2:12] + b"RATE" + p[16:])
    await started(Chip({"a": server}), 10000)
    assert server.requests == 1


async def test_the_era_of_2036():
    """NTP's seconds wrap in February 2036; MicroPython's own 31 bits in January 2034 and 2068."""
    for offset_s in (0, 7 * YEAR_S, 9 * YEAR_S, 10 * YEAR_S, 29 * YEAR_S):
        chip = Chip({"a": Server(offset_s), "b": Server(offset_s)})
        chip.at(25000, lambda chip=chip: chip.made.tell("cloud_up", True))
        await started(chip, 30000)
        assert chip.made.state == "sntp" and abs(chip.off_s() - offset_s) <= 1, offset_s
        assert abs(chip.nvs.values["last_time"] - NOW_S - offset_s) < 60
    for offset_s in (31 * YEAR_S, 42 * YEAR_S, 60 * YEAR_S, 100 * YEAR_S, -YEAR_S):
        chip = Chip({"a": Server(offset_s), "b": Server(offset_s)})
        await started(chip)
        assert chip.set_to == [BUILT_S], offset_s


async def test_it_is_remembered_after_a_connection_alone():
    chip = Chip({"a": Server(), "b": Server()})
    clock = await started(chip, 7 * 3600 * 1000)
    assert clock.state == "sntp" and chip.nvs.values == {}
    chip = Chip({"a": Server(), "b": Server()})
    writes = []

    def remembered():
        assert abs(chip.nvs.values["last_time"] - chip.time()) < 5
        writes.append(chip.nvs.writes)
        for event in ("cloud_down", "cloud_up", "provisioned") * 20:
            chip.made.tell(event, "lost")

    chip.at(10000, lambda: chip.made.tell("cloud_up", False))
    chip.at(12000, remembered)
    await started(chip)
    assert [chip.nvs.writes] == writes, "a connection that comes and goes wears no flash"
    await started(chip, 7 * 3600 * 1000)
    assert [chip.nvs.writes] == writes, "another start of which nobody reached the cloud"


async def test_it_is_remembered_at_once_where_a_restart_follows():
    chip = Chip({"a": Server(), "b": Server()})
    clock = await started(chip)
    with chip:
        clock.tell("provisioned", "thing")
    assert abs(chip.nvs.values["last_time"] - chip.time()) < 5


async def test_a_time_that_comes_behind_the_connection_is_not_taken_for_wrong():
    """The servers' first answer is under way as the cloud is reached with an estimate that is far from it."""
    chip = Chip({"a": Server(packet=silent), "b": Server(packet=silent)})

    def answer():
        for server in chip.servers.values():
            server.packet, server.late_ms = bytes, 1000

    chip.at(20000, answer)
    chip.at(23500, lambda: chip.made.tell("cloud_up", False))
    clock = await started(chip, 40000)
    assert [how for _, how in chip.events] == ["estimate", "sntp"] and 23500 < chip.events[1][0] < 25000
    assert clock.state == "sntp" and not any(["dates speak against" in line for line in chip.log.lines])


async def test_what_is_borne_out_is_judged_once_and_remembered_though_no_server_answers_any_more():
    servers = {"a": Server(), "b": Server()}
    chip = Chip(servers)
    first = []

    def borne_out():
        first.append(chip.nvs.values["last_time"])
        look, chip.nvs.get_i32 = chip.nvs.get_i32, None  # where who judges looks
        for event in ("cloud_up", "provisioned"):
            chip.made.tell(event, "again")
        chip.nvs.get_i32 = look
        for server in servers.values():
            server.error = OSError(-202)

    chip.at(10000, lambda: chip.made.tell("cloud_up", False))
    chip.at(12000, borne_out)
    await started(chip, 7 * 3600 * 1000)
    assert abs(chip.nvs.values["last_time"] - first[0] - 6 * 3600) < 120


async def test_what_came_of_a_connection_is_heard_without_memory():
    chip = Chip({"a": Server(), "b": Server()})

    def no_memory(key):
        raise MemoryError("memory allocation failed")

    def provisioned():
        chip.nvs.get_i32 = no_memory
        chip.made.tell("provisioned", "thing")

    chip.at(15000, provisioned)
    await started(chip)
    assert chip.log.lines[-1] == "clock: memory allocation failed"


async def test_one_lie_of_thirty_years_costs_one_attempt():
    """The lone far answer is taken, TLS refuses it, and what the device knows comes next."""
    for lie_s in (29 * YEAR_S, 2 * YEAR_S):
        for second in (Server(packet=silent), Server(late_ms=6000)):
            chip = Chip({"a": Server(lie_s), "b": second}, remembering(NOW_S - 9 * DAY_S))
            chip.at(5000, lambda chip=chip: chip.made.tell("cloud_down", EXPIRED))
            await started(chip, 60000)
            assert chip.events[1][0] < 5000 + 2200, chip.events
            assert -9 * DAY_S - 60 <= chip.off_s() <= 60
            assert chip.servers["a"].requests == 1, "it is believed no more"
            assert any(["dates speak against" in line for line in chip.log.lines])


async def test_a_lie_does_not_move_a_clock_that_is_right():
    chip = Chip({"a": Server(), "b": Server()})

    def lie():
        chip.made.tell("cloud_up", False)
        chip.servers["a"].offset_s = 20 * YEAR_S
        chip.servers["b"].packet = silent

    chip.at(1000, lie)
    clock = await started(chip, 13 * 3600 * 1000)
    assert clock.state == "sntp" and abs(chip.off_s()) <= 1
    assert any(["a: far from what is known" in line for line in chip.log.lines])


async def test_two_that_agree_lead_back_from_a_lie_that_was_remembered():
    chip = Chip({"a": Server(), "b": Server()}, remembering(NOW_S + 20 * YEAR_S))
    chip.at(15000, lambda: chip.made.tell("cloud_up", False))
    await started(chip)
    assert chip.made.state == "sntp" and abs(chip.off_s()) <= 1
    assert abs(chip.nvs.values["last_time"] - NOW_S) < 60


async def test_without_any_server_dates_lead_back_from_a_lie_that_was_remembered():
    """Also from the chip's own clock, which outlives a restart."""
    chip = Chip({"a": Server(packet=silent)}, remembering(NOW_S + 20 * YEAR_S), chip_s=NOW_S + 25 * YEAR_S)
    times = []

    def dates():
        times.append(chip.time())
        if chip.time() > NOW_S + YEAR_S:
            chip.made.tell("cloud_down", EXPIRED)

    for ms in range(10000, 60000, 5000):
        chip.at(ms, dates)
    await started(chip, 70000)
    assert chip.made.source == ("built",) and times[-1] - BUILT_S < 60


async def test_where_all_are_wrong_it_begins_anew():
    """It is the certificate, then: the servers shall not be forgotten for that."""
    chip = Chip({"a": Server(), "b": Server()})
    for ms in range(1000, 100000, 3000):
        chip.at(ms, lambda: chip.made.tell("cloud_down", FUTURE))
    await started(chip, 120000)
    assert chip.made.state == "sntp" and len(chip.made.doubted) <= 6


async def test_servers_that_were_doubted_for_an_expired_certificate_are_believed_again():
    """Once the cloud was reached with a time that is near to theirs."""
    chip = Chip({"a": Server(), "b": Server()}, remembering(NOW_S - 3 * 3600))
    chip.at(1000, lambda: chip.made.tell("cloud_down", EXPIRED))
    seen = []
    chip.at(11000, lambda: chip.made.tell("cloud_down", EXPIRED))  # of the other server, or of the pair
    chip.at(19000, lambda: seen.append(chip.made.source))
    chip.at(20000, lambda: chip.made.tell("cloud_up", True))
    await started(chip, 200000)
    assert chip.made.state == "sntp" and abs(chip.off_s()) <= 1, (seen, chip.events)


async def test_a_liar_is_not_believed_again():
    chip = Chip({"a": Server(20 * YEAR_S)}, remembering(NOW_S - 3 * 3600))
    chip.at(1000, lambda: chip.made.tell("cloud_down", EXPIRED))
    chip.at(9000, lambda: chip.made.tell("cloud_up", True))
    await started(chip, 48 * 3600 * 1000 // 10)
    assert chip.made.source == ("what is kept",) and len(chip.set_to) == 2


def test_a_deployment_in_a_time_that_cannot_be():
    with Chip({}) as chip:
        from iot.clock import adjust

        far_s = BUILT_S + 31 * YEAR_S
        for deployed_s, result in ((0, BUILT_S), (BUILT_S + 5, BUILT_S + 5), (far_s, BUILT_S)):
            adjust._deployed_s = lambda deployed_s=deployed_s: deployed_s
            assert adjust._built((2026, 11, 20)) == result
    assert not chip.set_to


async def test_all_who_wait_for_the_time_go_on_but_who_is_cancelled():
    chip = Chip({"a": Server(), "b": Server()})
    with chip:
        clock = chip.clock()
        waiting = [asyncio.create_task(clock.ready()) for _ in range(3)]
        for _ in range(3):
            await asyncio.sleep_ms(0)
        assert not [task for task in waiting if task.done()]
        waiting[1].cancel()
        await chip.run(clock, 1000)
        await asyncio.wait_for_ms(waiting[0], 10000)
        await asyncio.wait_for_ms(waiting[2], 10000)
        await araises(asyncio.CancelledError, "", waiting[1])
    await asyncio.wait_for_ms(clock.ready(), 10000)  # once it is there nobody waits


async def test_a_time_that_is_doubted_before_who_waits_has_looked_is_waited_for_again():
    with Chip({}) as chip:
        clock = chip.clock()
        waiting = asyncio.create_task(clock.ready())
        await asyncio.sleep_ms(0)
        for clock.state in ("estimate", "unset"):
            clock.changed.set()
        for _ in range(3):
            await asyncio.sleep_ms(0)
        assert not waiting.done()
        clock.state = "estimate"
        clock.changed.set()
        await asyncio.wait_for_ms(waiting, 10000)


async def test_a_doubt_ends_the_pause_within_a_second():
    """That of hours after an answer, and those between two tries: of these one takes 2 s where none comes."""
    for servers, took_ms in (({"a": Server(), "b": Server()}, 0), ({"a": Server(packet=silent)}, 2000)):
        chip = Chip(servers, remembering(NOW_S - DAY_S))
        chip.at(9900, lambda chip=chip: chip.made.tell("cloud_down", EXPIRED))
        await started(chip, 15000)
        passed_ms, how = chip.events[1]
        assert how == "estimate" and took_ms <= passed_ms - 9900 <= took_ms + 1000, chip.events


async def test_other_failures_say_nothing_about_the_time():
    chip = Chip({"a": Server(), "b": Server()})
    for reason in (
        "TLS: The certificate is not correctly signed by the trusted CA",
        "[Errno 104] ECONNRESET",
        None,
    ):
        chip.at(1000, lambda reason=reason: chip.made.tell("cloud_down", reason))
    await started(chip)
    assert [how for _, how in chip.events] == ["sntp"] and chip.made.state == "sntp"


BUILT = (2026, 11, 20)


def tell(chip, unix_s, clock=None):
    with chip:
        from iot.clock import adjust

        adjust.tell(unix_s, BUILT, chip.nvs, clock)


async def test_a_time_that_is_handed_over_is_an_estimate_of_the_next_start():
    chip = Chip({"a": Server(packet=silent)})
    tell(chip, NOW_S + UNIX_2000_S)
    after_a_cut = Chip({"a": Server(packet=silent)}, chip.nvs)
    after_a_cut.at(15000, lambda: after_a_cut.made.tell("cloud_up", False))
    await started(after_a_cut)
    assert after_a_cut.made.source == ("told",) and -10 <= after_a_cut.off_s() <= 0
    assert list(after_a_cut.nvs.values) == ["last_time"], "from now on it knows better"


async def test_a_time_that_is_handed_over_while_it_waits():
    for ms in (500, 3000, 9000, 30000):
        chip = Chip({"a": Server(packet=silent)})
        chip.at(ms, lambda chip=chip: tell_running(chip))
        clock = await started(chip, ms + 8200)
        assert clock.source == ("told",) and -9 <= chip.off_s() <= 1, (ms, chip.events, chip.off_s())


def tell_running(chip):
    from iot.clock import adjust

    adjust.tell(chip.true_s() + UNIX_2000_S, BUILT, chip.nvs, chip.made)


async def test_a_time_that_is_handed_over_while_the_radio_connects_counts():
    chip = Chip({"a": Server()})  # alone far from all that was known
    with chip:
        clock = chip.clock()

        async def online():
            if not clock.source:
                tell_running(chip)

        clock.online = online
        await chip.run(clock, 500)
    assert clock.state == "sntp" and clock.source == ("a",)


async def test_without_a_network_in_time_nobody_is_asked():
    chip = Chip({"a": Server()}, remembering(NOW_S))
    with chip:
        clock = chip.clock()
        clock.online = asyncio.Event().wait
        from iot.clock import adjust

        assert not await adjust.adjust(clock, 1) and clock.state == "unset"
    assert not chip.servers["a"].requests and not chip.events


async def test_only_at_the_start_its_code_waits_for_the_network():
    calls = []

    class Adjust:
        async def adjust(self, clock, wait_ms):
            calls.append(wait_ms)
            return False

    async def online():
        calls.append("online")

    chip = Chip({})
    with chip:
        clock = chip.clock(["a"])
        clock.online = online
        from iot.clock import keeper

        keeper.borrow = lambda name: Adjust()
        await chip.run(clock, 2500)
    assert calls == [10000, "online", 0, "online", 0]


async def test_a_server_near_to_the_time_handed_over_is_enough():
    chip = Chip({"a": Server()})
    tell(chip, NOW_S + UNIX_2000_S - 3600)
    await started(Chip({"a": Server()}, chip.nvs))
    chip = Chip({"a": Server()}, chip.nvs)
    await started(chip)
    assert at_once(chip, "sntp")


async def test_a_time_that_the_cloud_has_borne_out_stays():
    chip = Chip({"a": Server(), "b": Server()})
    clock = await started(chip)
    with chip:
        clock.tell("cloud_up", False)
    tell(chip, NOW_S + UNIX_2000_S + 5 * YEAR_S, clock)
    assert clock.state == "sntp" and abs(chip.off_s()) <= 1 and "told_time" not in chip.nvs.values


def test_a_time_that_cannot_be():
    chip = Chip({})
    for unix_s in (
        0,
        1,
        BUILT_S,
        UNIX_2000_S + BUILT_S - 1,
        UNIX_2000_S + BUILT_S + 31 * YEAR_S,
        1 << 32,
        1 << 70,
    ):
        raises(ValueError, "this firmware was built", tell, chip, unix_s)
    assert not chip.set_to and not chip.nvs.writes


async def test_ticks_that_wrap():
    for start_ms in ((1 << 30) - 10, (1 << 30) - 5000, 1 << 29):
        chip = Chip({"a": Server(packet=silent)}, start_ms=start_ms)
        await started(chip)
        assert 8000 <= chip.events[0][0] <= 8100


async def test_a_flash_that_fails_is_no_reason_to_be_without_a_time():
    for error in (OSError(-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE"), OverflowError("x")):
        chip = Chip({"a": Server()}, remembering(NOW_S - DAY_S + 60))

        def up(chip=chip, error=error):
            chip.nvs.cut_at, chip.nvs.cut_by = chip.nvs.writes + 1, error
            chip.made.tell("cloud_up", False)

        chip.at(15000, up)
        clock = await started(chip)
        assert clock.borne_out and clock.state == "sntp" and "is not remembered" in chip.log.lines[-1]
    chip = Chip({"a": Server(), "b": Server()})
    with Without(chip.nvs, "get_i32", OSError("worn")):
        await started(chip)
    assert at_once(chip, "sntp")


def test_a_time_that_nothing_can_keep_is_not_taken():
    chip = Chip({})
    with chip:
        from iot.clock import adjust

        raises(OSError, "flash could not be", adjust.tell, NOW_S + UNIX_2000_S, BUILT, None, None)
    assert not chip.set_to


def test_the_time_of_the_deployment_is_later_than_that_of_the_build():
    for text, built_s in (
        ("2026 11 21 0 0 5", BUILT_S + DAY_S + 5),
        ("2026 11 19 0 0 0", BUILT_S),
        ("2126 1 1 0 0 0", BUILT_S),
        ("2026 11", BUILT_S),
        ("yesterday", BUILT_S),
        ("", BUILT_S),
    ):
        with Chip({}):
            from iot.clock import adjust

            adjust.open = lambda path, text=text: StringIO(text)
            assert adjust._built(BUILT) == built_s, text


async def test_an_adjustment_that_fails_is_told_and_tried_again():
    chip = Chip({"a": Server(), "b": Server()})
    with chip:
        from iot.clock import keeper

        clock, real, left = chip.clock(), keeper.borrow, [MemoryError("no room"), OSError("flash")]

        def borrow(name):
            if left:
                raise left.pop(0)
            return real(name)

        keeper.borrow = borrow
        await chip.run(clock, 20000)
    assert clock.state == "sntp" and chip.events[0][0] < 5000
    assert ["no room" in line or "flash" in line for line in chip.log.lines[:2]] == [True, True]
