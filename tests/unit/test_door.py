"""Wrong proofs are counted over resets, in memory that forgets when the power is cut."""

from fakes import FakeMachine
from iot.ble.door import Door


def started(machine):
    """iot.retained on a chip that has just started: all that the program knew is gone."""
    with machine:
        from iot import retained

        return retained


def test_numbers_outlive_a_reset():
    machine = FakeMachine()
    retained = started(machine)
    assert retained.get("wrong") == 0 and retained.get("setup") == 0
    retained.set("wrong", 3)
    retained.set("setup", 1)
    retained = started(machine)
    assert retained.get("wrong") == 3 and retained.get("setup") == 1
    retained.set("wrong", 0)
    assert retained.get("wrong") == 0 and retained.get("setup") == 1
    retained.set("wrong", 1000)
    assert retained.get("wrong") == 255


def test_numbers_do_not_outlive_a_cut_of_power():
    machine = FakeMachine()
    started(machine).set("wrong", 3)
    assert started(FakeMachine()).get("wrong") == 0


def test_memory_that_is_noise_or_anothers():
    others = (b"\xff" * 2048, b"\0" * 6, b"iot1", b"iot1\5", b"iot1\5\1\0\0", b"hello\5\1", b"iot0\5\1\0")
    for memory in others:
        machine = FakeMachine(memory)
        retained = started(machine)
        assert retained.get("wrong") == retained.get("setup") == 0, memory
        retained.set("setup", 1)
        assert started(machine).get("setup") == 1 and started(machine).get("wrong") == 0


def test_five_wrong_proofs_close_the_door_until_the_power_is_cut():
    machine = FakeMachine()
    for count in range(5):
        door = Door(started(machine))  # a reset after each is of no use
        assert not door.closed(), count
        door.wrong()
    assert door.closed() and Door(started(machine)).closed()
    door.wrong()
    assert Door(started(machine)).closed()
    assert not Door(started(FakeMachine())).closed()


def test_a_right_proof_begins_to_count_anew():
    door = Door(started(FakeMachine()))
    for _ in range(3):
        for _ in range(4):
            door.wrong()
        door.right()
    assert not door.closed()


def test_more_wrong_proofs_than_a_byte_can_count():
    door = Door(started(FakeMachine()))
    for _ in range(300):
        door.wrong()
    assert door.closed()
