"""What the tests need and pip cannot bring; run by `make test`, before there is anything else.

`python3 tests/programs.py` installs what is missing with the system's package manager, where that asks nobody
for anything; `python3 tests/programs.py --missing` says in one line what was left out, and what brings it.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig

# Which Debian keeps apart.
VENV = "Python's venv"
COMPILER = "C++"  # with Python's headers
# What each is called where it is installed, and by each package manager.
PROGRAMS = {
    "Chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "mosquitto": ("mosquitto",),
    "mosquitto_sub": ("mosquitto_sub",),
    "Node.js": ("npm",),
    COMPILER: ("c++", "g++", "clang++"),
    "SoftHSM": ("softhsm2-util",),
    VENV: (),
}
_MOST = {  # of the package managers
    "Chromium": "chromium",
    "mosquitto": "mosquitto",
    "mosquitto_sub": "mosquitto",
    "Node.js": "nodejs npm",
    COMPILER: "gcc",
    "SoftHSM": "softhsm",
    VENV: "",
}
PACKAGES = {
    "apt-get": {
        **_MOST,
        "mosquitto_sub": "mosquitto-clients",
        COMPILER: "g++ python3-dev",
        "SoftHSM": "softhsm2",
        VENV: "python3-venv",
    },
    "dnf": {**_MOST, COMPILER: "gcc-c++ python3-devel"},
    "pacman": _MOST,
    "brew": {**_MOST, "Node.js": "node"},
}
COMMANDS = {
    "apt-get": "apt-get install -y --no-install-recommends",
    "dnf": "dnf install -y",
    "pacman": "pacman -S --noconfirm",
    "brew": "brew install",
}


def find(program: str) -> str | None:
    """The path of a program of PROGRAMS, None where it is missing."""
    if program == VENV:
        return sys.executable if importlib.util.find_spec("ensurepip") else None
    if program == COMPILER and not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        return None
    return next(filter(None, map(shutil.which, PROGRAMS[program])), None)


def missing() -> list[str]:
    return [program for program in PROGRAMS if not find(program)]


def command(programs: list[str]) -> list[str]:
    """What installs them here, empty where no package manager is known; brew alone needs not be root."""
    manager = next(filter(shutil.which, COMMANDS), None)
    if not manager:
        return []
    packages = dict.fromkeys(" ".join(PACKAGES[manager][program] for program in programs).split())
    sudo = ["sudo"] if manager != "brew" and os.geteuid() != 0 else []
    return [*sudo, *COMMANDS[manager].split(), *packages]


def run(words: list[str]) -> str:
    """Run it, quietly and without anybody to ask; returns its last words where it fails."""
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    try:
        done = subprocess.run(words, stdin=nothing, stdout=nothing, stderr=pipe, text=True, check=False)
    except OSError as error:
        return str(error)
    last = done.stderr.strip().rpartition("\n")[2]
    return last or f"status {done.returncode}" if done.returncode else ""


def install() -> None:
    """A failure is no error: the tests say what they leave out."""
    programs = missing()
    words = command(programs)
    sudo = words[:1] if words[:1] == ["sudo"] else []
    if not programs or not words or (sudo and run(["sudo", "-n", "true"])):
        return
    print("Installing", ", ".join(programs), flush=True)
    if "apt-get" in words:  # of a fresh machine it knows no packages, and it likes to ask
        sudo = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive"]
        run([*sudo, "apt-get", "update"])
    if failure := run([*sudo, *(word for word in words if word != "sudo")]):
        print(f"{' '.join(words)}: {failure}", flush=True)


def left_out() -> str:
    """The line for what is missing, empty where nothing is."""
    programs = missing()
    if not programs:
        return ""
    how = " ".join(command(programs)) or "your package manager brings them"
    return f"Left out for want of {', '.join(programs)}; for all tests: {how} && make test"


if __name__ == "__main__":
    if "--missing" in sys.argv:
        if line := left_out():
            print(line)
    else:
        install()
