"""The order of a start, as make size measures it and as modules lie in the pack, is that of a device."""

import re

from tests.system.house import START_S, House
from tools.board import start
from tools.board.start import modes

# What a start may take besides: the supervisor looks at a task that has come to its end, and as soon as there
# is a connection the shadow asks for what was missed.
MAY_COME = {"iot.deaths", "iot.aws.shadow_updates", "iot.aws.shadow_document"}


async def test_modules_are_opened_in_the_order_of_a_start(house: House) -> None:
    device = house.device()
    for file in [*(device.files / "lib/iot").rglob("*.py"), *(device.files / "firmware").rglob("*.py")]:
        file.write_text("print('OPENS', __name__)\n" + file.read_text())
    await house.telemetry(device)
    await device.power_off()
    before = len(device.lines)
    await device.power_on()
    await device.expect(r"cloud: connected", START_S)
    lines = [re.match("OPENS (.*)", line) for line in device.lines[before:]]
    opened = list(dict.fromkeys(found[1] for found in lines if found))
    order = [name for name in start.order() if name != "pack"]
    assert set(opened) - MAY_COME == set(order)
    # Tasks are as fast as they are; what is before them, and what stays, is loaded by one alone.
    fixed = {*order[: order.index("iot.heap") + 1], *modes.staying(modes.NORMAL)}
    assert [name for name in opened if name in fixed] == [name for name in order if name in fixed]
