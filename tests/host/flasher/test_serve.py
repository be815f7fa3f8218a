"""`python3 -m tools flasher`: what its server has, and what it refuses to serve."""

import argparse
from pathlib import Path

import aiohttp
import pytest

from tests.host.board.made_images import ONE_SLOT, Made
from tools.board import images
from tools.board.errors import BoardError
from tools.flasher import serve
from tools.image import build

FILES = {"boot.py": b"boot"}


def made(chip: str = "esp32", firmware: str = "lamp 1.0", code: str | None = None) -> images.Image:
    image = images.parse(Made(chip, partitions=ONE_SLOT).image(), "x.bin")
    return build.make(image, FILES, firmware, code).image


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """As npm leaves them, and something that is none of the page's."""
    web = tmp_path / "node_modules/esp-web-tools/dist/web"
    web.mkdir(parents=True)
    (web / "install-button.js").write_text("export {};")
    (web.parent / "secret.js").write_text("none")
    return tmp_path


async def test_the_page_and_what_it_needs(modules: Path) -> None:
    boards = {"board.bin": made(), "s3.bin": made("esp32s3")}
    async with serve.Flasher(boards, 0, modules=modules) as site, aiohttp.ClientSession() as session:
        for path, kind in (
            ("flash", "text/html"),
            ("flash/", "text/html"),
            ("flash/app.js", "text/javascript"),
            ("flash/flasher.css", "text/css"),
            ("flash/esp-web-tools/install-button.js", "text/javascript"),
            ("style.css", "text/css"),  # the phone's page is there, too
        ):
            async with session.get(site.url + path) as answer:
                assert (answer.status, answer.content_type) == (200, kind), path
                assert answer.headers["Cache-Control"] == "no-cache"
        async with session.get(f"{site.flasher_url}manifest.json") as answer:
            manifest = await answer.json()
        assert (manifest["name"], manifest["version"]) == ("lamp", "1.0")
        for build_, image, offset in zip(manifest["builds"], boards.values(), (0x1000, 0), strict=True):
            assert build_["chipFamily"] == image.chip
            [part] = build_["parts"]
            assert part["offset"] == offset
            async with session.get(site.flasher_url + part["path"]) as answer:
                assert await answer.read() == image.data
        for path in ("images/2.bin", "serve.py", "esp-web-tools/..%2fsecret.js", "esp-web-tools/none.js"):
            async with session.get(site.flasher_url + path) as answer:
                assert answer.status == 404, path
        async with session.get(f"{site.flasher_url}images/0.bin", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421


@pytest.mark.parametrize(
    ("boards", "text", "remedy"),
    [
        (
            {"a.bin": images.parse(Made().image(), "a.bin")},
            "a.bin: MicroPython alone",
            "tools image a.bin board.bin",
        ),
        ({"a.bin": made(), "b.bin": made()}, "a.bin and b.bin: both for the ESP32", "one for each chip"),
        (
            {"a.bin": made(), "b.bin": made("esp32s3", "lamp 1.1")},
            "a.bin has lamp 1.0, b.bin has lamp 1.1",
            "of one checkout",
        ),
    ],
    ids=["no firmware", "one chip", "versions"],
)
def test_images_that_do_not_go_together(boards: dict[str, images.Image], text: str, remedy: str) -> None:
    with pytest.raises(BoardError, match=text) as refused:
        serve.manifest(boards)
    assert remedy in refused.value.remedy


def test_without_esp_web_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.bin"
    board.write_bytes(made(code="8WECNRT2NN7C").data)
    monkeypatch.setattr(serve.Flasher.__init__, "__defaults__", (8008, None, "localhost", tmp_path))
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    assert serve.main(parser.parse_args([str(board), "--port", "0"])) == 1
    warning, failure, remedy = capsys.readouterr().err.splitlines()
    assert warning == f"{board}: warning: for the one board whose label has its code"
    assert failure == f"flasher: ESP Web Tools is not in {tmp_path}"
    assert f"npm install --prefix {tmp_path} esp-web-tools@10." in remedy
