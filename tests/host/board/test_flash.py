"""The whole way of an image through esptool onto a chip, and what is said when it cannot be gone."""

import argparse
import io
import os
import pty
from pathlib import Path
from typing import Any

import pytest
from esp_pylib.logger import EspLog

from tests.host.board.fake_chip import FakeChip
from tests.host.board.made_images import TWO_SLOTS, Made
from tools.board import flash
from tools.board.ports import close_port, open_port

IMAGE = Made(partitions=TWO_SLOTS).image()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "ESP32_GENERIC-OTA.bin"
    file.write_bytes(IMAGE)
    return file


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    flash.add_arguments(parser)
    return flash.main(parser.parse_args([str(argument) for argument in arguments]))


def test_erases_writes_and_verifies(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger = EspLog.instance
    with FakeChip() as chip:
        assert run(chip.port, image, "--yes") == 0
        close_port(open_port(chip.port))  # it was left to others
    assert chip.flash == b"\xff" * 0x1000 + IMAGE + b"\xff" * (len(chip.flash) - 0x1000 - len(IMAGE))
    output = capsys.readouterr()
    assert output.err == ""
    lines = output.out.splitlines()
    assert lines[:3] == [
        "image  MicroPython v1.25.0, Made board with ESP32, for 4 MB of flash",
        "       two slots: MicroPython itself can be updated over the air, too",
        "board  ESP32-D0WDQ6 (revision v0.0), MAC 24:0a:c4:00:00:01, 4 MB of flash",
    ]
    assert lines[3].startswith(f"done   {len(IMAGE):,} bytes at 0x1000, written and verified in ")
    assert lines[4:] == [f"next   python3 -m tools deploy {chip.port}"]
    assert EspLog.instance is logger


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_asks_before_it_erases(
    typed: str, status: int, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keyboard, screen = pty.openpty()
    os.write(keyboard, typed.encode() or b"\x04")  # Ctrl-D: nothing more
    with open(screen, encoding="utf-8") as terminal, FakeChip() as chip:
        monkeypatch.setattr("sys.stdin", terminal)
        assert run(chip.port, image) == status
    os.close(keyboard)
    assert "configuration and certificate included. Go on? [y/N]" in capsys.readouterr().out
    assert (chip.flash == chip.before) == (status == 1)


def test_erases_nothing_where_nobody_can_be_asked(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with FakeChip() as chip:
        assert run(chip.port, image) == 1
    assert chip.flash == chip.before
    assert "nobody is here to be asked\nSay --yes." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("board", "made", "text", "remedy"),
    [
        (
            {"chip": "ESP32-S2"},
            Made(),
            "is for the ESP32, the board has an ESP32-S2",
            "page on micropython.org",
        ),
        (
            {},
            Made("esp32s3"),
            "is for the ESP32-S3, the board has an ESP32",
            "page on micropython.org",
        ),
        ({"flash_bytes": 2 << 20}, Made(), "needs 4 MB of flash, the board has 2 MB", "for the size of"),
        (
            {},
            Made(revisions=(300, 399)),
            "chip revision v3.0 to v3.99, the board's is v0.0",
            "revision",
        ),
        ({"flash_bytes": 0}, Made(), "the chip does not reach its flash", "Disconnect what is wired"),
        ({}, Made(version="v1.24.0"), "v1.24.0 is too old", "v1.25 or newer"),
    ],
    ids=["board", "image", "size", "revision", "wiring", "version"],
)
def test_what_does_not_fit_is_refused_before_anything_is_erased(
    board: dict[str, Any], made: Made, text: str, remedy: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image.write_bytes(made.image())
    with FakeChip(**board) as chip:
        assert run(chip.port, image, "--yes") == 1
    assert chip.flash == chip.before
    refusal, advice = capsys.readouterr().err.splitlines()
    assert refusal.startswith("flash: ")
    assert text in refusal
    assert remedy in advice


def test_what_was_written_is_compared(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeChip(decay=0x8000) as chip:
        assert run(chip.port, image, "--yes") == 1
    output = capsys.readouterr().err
    assert "flash: the image was not written: MD5 of file does not match data in flash!" in output
    assert "--baudrate 115200" in output


def test_a_cable_that_is_pulled(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeChip(unplugged_at=0) as chip:
        assert run(chip.port, image, "--yes") == 1
    output = capsys.readouterr()
    assert "flash: the image was not written: " in output.err
    assert "holds no whole image now" in output.err
    assert "done" not in output.out


def test_a_board_that_is_not_in_download_mode(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeChip(runs=True) as chip:
        assert run(chip.port, image, "--yes") == 1
    assert chip.flash == chip.before
    output = capsys.readouterr().err
    assert f"flash: {chip.port}: no chip answers in download mode: " in output
    assert "Hold the board's BOOT button" in output


def test_a_port_that_is_in_use(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeChip() as chip:
        other = open_port(chip.port)
        try:
            assert run(chip.port, image, "--yes") == 1
        finally:
            close_port(other)
    assert chip.flash == chip.before
    assert "in use by another program" in capsys.readouterr().err
