"""Wrong proofs are counted over resets, in memory that forgets when the power is cut."""

from check import raises
from fakes import FakeMachine, FakeTime
from iot.ble import door as module
from iot.ble.door import Door


def started(machine):
    """iot.storage.rtc on a chip that has just started: all that the program knew is gone."""
    with machine:
        from iot.storage import rtc

        return rtc


def retained(machine):
    """What a Door of that start gets."""
    rtc = started(machine)
    return lambda: rtc


def test_numbers_outlive_a_reset():
    machine = FakeMachine()
    rtc = started(machine)
    assert rtc.get("wrong") == 0 and rtc.get("setup") == 0
    rtc.set("wrong", 3)
    rtc.set("setup", 1)
    rtc = started(machine)
    assert rtc.get("wrong") == 3 and rtc.get("setup") == 1
    rtc.set("wrong", 0)
    assert rtc.get("wrong") == 0 and rtc.get("setup") == 1
    rtc.set("wrong", 1000)
    assert rtc.get("wrong") == 255


def test_the_station_s_last_network_outlives_a_reset():
    machine = FakeMachine()
    assert started(machine).station() == (-1, None)
    started(machine).set("wrong", 7)
    for kept in ((0, None), (7, b"\2\0\xff\0\0\1"), (1, None), (-1, None)):
        started(machine).set_station(*kept)
        assert started(machine).station() == kept and started(machine).get("wrong") == 7
    assert started(FakeMachine()).station() == (-1, None)


def test_numbers_do_not_outlive_a_cut_of_power():
    machine = FakeMachine()
    started(machine).set("wrong", 3)
    assert started(FakeMachine()).get("wrong") == 0


def test_memory_that_is_noise_or_anothers():
    machine = FakeMachine()
    started(machine).set("wrong", 5)
    ours = machine.kept
    others = (
        b"\xff" * 2048,
        b"\0" * 6,
        b"iot1",
        ours[:-1],
        ours + b"\0",
        b"iot0" + ours[4:],
        b"hello" + ours[5:],
    )
    for memory in others:
        machine = FakeMachine(memory)
        rtc = started(machine)
        assert rtc.get("wrong") == rtc.get("setup") == 0, memory
        rtc.set("setup", 1)
        assert started(machine).get("setup") == 1 and started(machine).get("wrong") == 0


def test_wrong_proofs_cost_pauses_that_grow_and_end():
    """Two are free; the pauses of those that follow double up to two minutes, and stay so for ever."""
    machine = FakeMachine()
    door = Door(retained(machine))
    pauses = []
    for _ in range(300):  # more than a byte can count
        assert not door.pause_ms or asyncio_ran(door)
        door.wrong()
        pauses.append(door.pause_ms)
    assert pauses[:9] == [0, 0, 2000, 4000, 8000, 16000, 32000, 64000, 128000]
    assert set(pauses[9:]) == {128000}


def asyncio_ran(door):
    """The pause is made once."""
    slept = []

    async def sleep_ms(ms):
        slept.append(ms)

    before, module.asyncio = module.asyncio, FakeTime()
    module.asyncio.sleep_ms = sleep_ms
    try:
        pause_ms = door.pause_ms
        raises(StopIteration, "", door.opened().send, None)
        assert slept == [pause_ms] and door.pause_ms == 0
    finally:
        module.asyncio = before
    return True


def test_a_reset_does_not_shorten_a_pause_and_a_cut_of_power_ends_it():
    machine = FakeMachine()
    door = Door(retained(machine))
    for _ in range(5):
        door.wrong()
    assert Door(retained(machine)).pause_ms == door.pause_ms == 8000
    assert Door(retained(FakeMachine())).pause_ms == 0


def test_a_right_proof_begins_to_count_anew():
    machine = FakeMachine()
    door = Door(retained(machine))
    for _ in range(3):
        for _ in range(4):
            door.wrong()
        door.right()
        assert door.pause_ms == 0 and Door(retained(machine)).pause_ms == 0
    door.wrong()
    assert door.pause_ms == 0
