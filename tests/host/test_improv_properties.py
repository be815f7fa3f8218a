"""Properties of Improv on the console: a packet is found in any noise, and no bytes harm the console."""

import asyncio
import sys
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from iot.console import improv as device_side
from iot.console import lines

from tests import improv

vars(sys.implementation).setdefault("_machine", "Generic ESP32 module with ESP32")
noise = st.binary(max_size=60).map(lambda data: data.replace(b"\x03", b""))  # Ctrl-C stops what runs
likely = st.lists(
    st.one_of(
        noise,
        st.sampled_from([improv.HEADER + b"\x03", improv.HEADER, b"IMPROV", b"mode\n", b"\n", b"\xff" * 300]),
        st.integers(0, 255).map(improv.command),
        st.binary(max_size=250).map(lambda data: improv.command(improv.SETTINGS, data)),
    ),
    max_size=8,
).map(b"".join)


class Stream:
    """A stream that ends with its bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, count: int) -> bytes:
        byte, self._data = self._data[:count], self._data[count:]
        return byte


def said(data: bytes) -> tuple[list[tuple[int, bytes]], list[str], bool]:
    """The packets and the lines that answer such input, and whether a Ctrl-C was in it."""
    output = bytearray()
    system = SimpleNamespace(
        mode="NORMAL", stored=None, tasks={}, device_id="esp32-24",
        settings=SimpleNamespace(PRODUCT="lamp", VERSION="1"),
    )  # fmt: skip

    async def command(name: str | None, argument: object) -> str:
        if name is None:
            told: str = await device_side.run(system, argument, output.extend)
            return told
        return "heard mode" if name == "mode" else "heard"

    def write(text: str) -> None:
        output.extend(text.encode())

    try:
        asyncio.run(lines.run(Stream(data), write, command))
        stopped = False
    except KeyboardInterrupt:
        stopped = True
    packets = list(improv.packets(bytes(output)))
    text = bytes(output)
    for packet in packets:
        text = text.replace(improv.packet(*packet), b"")
    return packets, text.decode().splitlines(), stopped


@settings(max_examples=100)
@given(noise, st.sampled_from([improv.GET_STATE, improv.GET_INFO]), noise)
def test_a_command_is_found_in_any_noise(before: bytes, number: int, after: bytes) -> None:
    packet = improv.command(number)
    packets, answers, stopped = said(before + b"\n" + packet + after + b"\nmode\n")
    wanted = improv.STATE if number == improv.GET_STATE else improv.RESULT
    assert wanted in [kind for kind, _ in packets]
    assert not stopped and answers[-1] == "= ok heard mode"


@settings(max_examples=150)
@given(likely)
def test_no_bytes_harm_the_console(data: bytes) -> None:
    """Each line is answered by a line, each packet by a packet, and a command after them is carried out."""
    packets, answers, stopped = said(data + b"\n" * 260 + b"mode\n" + improv.command(improv.GET_STATE))
    assert all(line.startswith(("= ok ", "= error ")) for line in answers)
    assert all(kind in (improv.STATE, improv.ERROR, improv.RESULT) for kind, _ in packets)
    if not stopped:
        assert packets[-1] == (improv.STATE, b"\0") and "= ok heard mode" in answers[-2:]
