"""What `make test` installs, and what it says where it may not; the package managers only take notes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import programs

ROOT = Path(__file__).parents[2]
UPDATE = "env DEBIAN_FRONTEND=noninteractive apt-get update"
ALL = "Chromium, mosquitto, mosquitto_sub, Node.js, C++, SoftHSM"
COMMAND = "apt-get install -y --no-install-recommends"
COMMAND += " chromium mosquitto mosquitto-clients nodejs npm g++ python3-dev softhsm2"
INSTALL = f"env DEBIAN_FRONTEND=noninteractive {COMMAND}"


class Machine:
    """A PATH with nothing on it but what the test puts there."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "bin"
        self._bin.mkdir()
        self._notes = folder / "notes"

    def put(self, name: str, status: int = 0) -> None:
        """A program that notes down how it was called."""
        program = self._bin / name
        program.write_text(f'#!/bin/sh\necho "${{0##*/}} $*" >>{self._notes}\nexit {status}\n')
        program.chmod(0o755)

    def run(self, *arguments: str, uid: int = 0) -> str:
        """What the script prints to a user with this id."""
        script = f"import os, runpy, sys\nos.geteuid = lambda: {uid}\nsys.argv[0] = 'tests/programs.py'\n"
        script += "runpy.run_path('tests/programs.py', run_name='__main__')"
        command = [sys.executable, "-c", script, *arguments]
        environment = {**os.environ, "PATH": str(self._bin)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert not done.stderr
        return done.stdout

    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines() if self._notes.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_root_installs_what_is_missing(machine: Machine) -> None:
    machine.put("apt-get")
    machine.put("env")
    assert machine.run() == f"Installing {ALL}\n"
    assert machine.notes() == [UPDATE, INSTALL]


def test_only_what_is_missing(machine: Machine) -> None:
    for name in ("apt-get", "env", "google-chrome", "npm", "mosquitto_sub", "g++", "softhsm2-util"):
        machine.put(name)
    assert machine.run() == "Installing mosquitto\n"
    assert machine.notes()[1].endswith("--no-install-recommends mosquitto")


def test_nothing_is_done_where_nothing_is_missing(machine: Machine) -> None:
    for name in ("apt-get", "chromium", "mosquitto", "mosquitto_sub", "npm", "c++", "softhsm2-util"):
        machine.put(name)
    assert machine.run() == machine.run("--missing") == ""
    assert not machine.notes()


def test_a_user_whom_sudo_does_not_ask_installs_too(machine: Machine) -> None:
    machine.put("apt-get")
    machine.put("sudo")
    machine.run(uid=1000)
    assert machine.notes() == ["sudo -n true", f"sudo {UPDATE}", f"sudo {INSTALL}"]


def test_whom_it_would_ask_is_told_the_command(machine: Machine) -> None:
    machine.put("apt-get")
    machine.put("sudo", status=1)
    assert machine.run(uid=1000) == ""
    assert machine.notes() == ["sudo -n true"]
    assert machine.run("--missing", uid=1000) == (
        f"Left out for want of {ALL}; for all tests: sudo {COMMAND} && make test\n"
    )


def test_an_installation_that_fails_ends_nothing(machine: Machine) -> None:
    machine.put("apt-get")
    machine.put("env", status=100)
    assert machine.run() == f"Installing {ALL}\n{COMMAND}: status 100\n"
    assert machine.run("--missing").startswith(f"Left out for want of {ALL}; ")


def test_homebrew_is_not_for_root(machine: Machine) -> None:
    machine.put("brew")
    machine.put("npm")
    machine.put("clang++")
    machine.run(uid=501)
    assert machine.notes() == ["brew install chromium mosquitto softhsm"]


def test_a_machine_without_a_package_manager_that_is_known(machine: Machine) -> None:
    assert machine.run() == ""
    assert "your package manager brings them" in machine.run("--missing")


def test_every_package_manager_has_every_program() -> None:
    assert programs.COMMANDS.keys() == programs.PACKAGES.keys()
    assert all(packages.keys() == programs.PROGRAMS.keys() for packages in programs.PACKAGES.values())
