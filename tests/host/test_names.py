"""The check of names against what a board has."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tools.names import check, cli

ROOT = Path(__file__).resolve().parents[2]
VM = ROOT / "tests/vm"
PORTS = {"ViperTypeError", "execfile", "help", "input"}

GOOD = """
import asyncio
import os
import machine
import network as net
import urequests
from machine import Pin, reset
from umqtt.simple import MQTTClient
from . import helper
from micropython import const
import neopixel

_PIN = const(2)
WLAN = net.WLAN(net.STA_IF)

class App:
    def __init__(self, thing):
        self.pin = Pin(_PIN, Pin.OUT, machine.Pin.PULL_UP)
        self.thing = thing
        super().__init__()

    async def main(self):
        os = self.thing          # another one of this name
        os.replace("a", "b")
        for name, value in {"a": 1}.items():
            print(name.upper(), "{}".format(value), f"{name}".strip(), __name__)
        try:
            await asyncio.wait_for_ms(helper.wait(), 100)
        except (asyncio.TimeoutError, OSError) as error:
            print(error.errno, error.args, len([x for x in ()]))
        lambda y: y.send(helper.LIMIT)

    def replace(self, a, b):
        return globals(), locals()
"""


def findings(tmp_path: Path, source: str, **others: str) -> list[str]:
    """What is found in a firmware of one file, as `line: name`."""
    folder = tmp_path / "firmware"
    folder.mkdir(exist_ok=True)
    files = {"app": source, "helper": "LIMIT = 3\nasync def wait():\n    pass\n", "__init__": "", **others}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    found = check.check(cli.modules(folder), {})
    return [f"{one.line}: {one.name}" for one in found if one.file.endswith("app.py")]


def test_what_is_there(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("try:\n  f()\nexcept FileNotFoundError:\n  pass\ndef f(): pass", "3: FileNotFoundError"),
        ("def f():\n  raise TimeoutError", "2: TimeoutError"),
        ("def f():\n  return ConnectionError, format(1)", "2: ConnectionError"),
        ("import os\nos.replace('a', 'b')", "2: os.replace"),
        ("from os import replace", "1: os.replace"),
        ("import re\ndef f():\n  return re.fullmatch('a', 'b')", "3: re.fullmatch"),
        ("import re as r\nr.findall('a', 'b')", "2: re.findall"),
        ("import os.path", "1: os.path"),
        ("import pathlib", "1: pathlib"),
        ("from dataclasses import dataclass", "1: dataclasses"),
        ("from typing import Any", "1: typing"),
        ("import logging", "1: logging"),
        ("from machine import Servo", "1: machine.Servo"),
        ("import machine\nmachine.Pin.OUTPUT", "2: machine.Pin.OUTPUT"),
        ("import network\nnetwork.WLAN.AP_MODE", "2: network.WLAN.AP_MODE"),
        ("import asyncio\nasyncio.Queue()", "2: asyncio.Queue"),
        ("import asyncio\nasyncio.TaskGroup()", "2: asyncio.TaskGroup"),
        ("import time\ntime.monotonic()", "2: time.monotonic"),
        ("import json\njson.JSONDecodeError", "2: json.JSONDecodeError"),
        ("import umqtt.simple\numqtt.simple.MQTTv5", "2: umqtt.simple.MQTTv5"),
        ("import hashlib\nhashlib.sha512()", "2: hashlib.sha512"),
        ("'a'.casefold()", "1: str.casefold"),
        ("'a'.removeprefix('b')", "1: str.removeprefix"),
        ("b''.zfill(3)", "1: bytes.zfill"),
        ("f'{1}'.title()", "1: str.title"),
        ("def f(x):\n  return x.casefold()", "2: casefold"),
        ("def f(x):\n  return x.isalnum()", "2: isalnum"),
        ("def f(x):\n  return x.bit_length()", "2: bit_length"),
        ("from . import nobody", "1: firmware.nobody"),
        ("from .helper import nobody", "1: firmware.helper.nobody"),
        ("def f():\n  return [undefined for _ in ()]", "2: undefined"),
        ("class A:\n  x = vars()", "2: vars"),
    ],
)
def test_what_is_not(tmp_path: Path, source: str, name: str) -> None:
    assert name in findings(tmp_path, source)


def test_the_product_uses_what_a_board_has() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools", "names"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_firmware_of_a_user_s_own(tmp_path: Path) -> None:
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "app.py").write_text("import aioble, sensor\nfrom iot import events\n")
    command = [sys.executable, "-m", "tools", "names", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith(f"{folder}/app.py:1: sensor: no module of the stock image")
    assert done.stdout.splitlines()[1] == "1 files: 1 names that a board has not"
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "sensor.py").write_text("")
    done = subprocess.run(
        [*command, "--packages", str(packages)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert (
        subprocess.run(
            [*command, str(tmp_path / "none")], cwd=ROOT, capture_output=True, check=False
        ).returncode
        == 2
    )


SCRIPT = """
import json
async def main(arguments):
    names = {}
    for name in ("builtins", "binascii", "collections", "errno", "json", "math", "re", "struct", "random"):
        names[name] = dir(__import__(name))
    for kind in (str, bytes, bytearray, list, dict, set, tuple, int):
        names["builtins." + kind.__name__] = dir(kind)
    print(json.dumps(names))
    return 0
"""


def test_what_was_recorded_is_what_the_oldest_vm_has(tmp_path: Path) -> None:
    """The VM has more than a board; what the board alone has is its port's."""
    node = shutil.which("node")
    if node is None or not (VM / "node_modules/ready").exists():
        pytest.skip("node or the MicroPython VM is not installed: make setup, with npm on the PATH")
    script = tmp_path / "names.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [node, str(VM / "run.mjs"), str(script), "--vm=1.25"], capture_output=True, text=True, check=True
    )
    vm = json.loads(done.stdout)
    for name, there in vm.items():
        module, _, kind = name.partition(".")
        recorded = check.stock()[module]
        names = set(recorded[kind] if kind else recorded) - PORTS
        assert names <= set(there), f"{name}: {names - set(there)}"
