"""Third-party packages: from an index as mip's, from folders as people have them."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.host.board.products import put
from tools.board.errors import BoardError
from tools.board.files import DEPENDENCIES, compile_for_chip
from tools.board.packages import from_folder, from_index

EXPECTED = {"aioble/__init__.mpy": b"M\x06\x00\x1f init", "aioble/core.mpy": b"M\x06\x00\x1f core"}
SOURCES = {"aioble/__init__.py": "x = 1\n", "aioble/core.py": "y = 2\n"}
VERSION = DEPENDENCIES["aioble"]


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Index:
    """micropython-lib's package index on this machine, in the form of its version 2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        hashes = []
        for path, data in EXPECTED.items():
            short = hashlib.sha256(data).hexdigest()[:8]
            hashes.append([path, short])
            file = folder / f"file/{short[:2]}/{short}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        self.listing = folder / f"package/6/aioble/{VERSION}.json"
        self.listing.parent.mkdir(parents=True)
        self.listing.write_text(json.dumps({"v": 1, "version": VERSION, "hashes": hashes}))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index")
    yield index
    index.stop()


def test_the_pinned_packages_from_an_index(index: Index, tmp_path: Path) -> None:
    assert from_index(6, index.url, tmp_path / "cache") == EXPECTED
    assert not (tmp_path / "cache").exists(), "what another index gave was kept"


def test_they_are_fetched_once(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpremote.mip._PACKAGE_INDEX", index.url)
    assert from_index(6, cache=tmp_path / "cache") == EXPECTED
    index.stop()
    assert from_index(6, cache=tmp_path / "cache") == EXPECTED
    with pytest.raises(BoardError, match=r"aioble .*refused"):
        from_index(7, cache=tmp_path / "cache")


def test_a_download_that_breaks_off_is_not_kept(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpremote.mip._PACKAGE_INDEX", index.url)
    file = next((index.folder / "file").rglob(hashlib.sha256(EXPECTED["aioble/core.mpy"]).hexdigest()[:8]))
    data = file.read_bytes()
    file.unlink()
    with pytest.raises(BoardError, match=r"aioble .*File not found"):
        from_index(6, cache=tmp_path / "cache")
    file.write_bytes(data)
    assert from_index(6, cache=tmp_path / "cache") == EXPECTED


def test_an_index_without_the_pinned_version(index: Index) -> None:
    index.listing.unlink()
    with pytest.raises(BoardError, match=rf"aioble {VERSION}: Package not found.*--no-packages"):
        from_index(6, index.url)


def test_an_index_that_is_none(index: Index) -> None:
    index.listing.write_text("<html>Log in to this hotel</html>")
    with pytest.raises(BoardError, match=r"aioble .*--packages DIR"):
        from_index(6, index.url)


def test_without_network(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(
            BoardError, match=r"refused.*; Connect to the internet.*--packages DIR.*--no-packages"
        ):
            from_index(6, f"http://127.0.0.1:{port}")


def compiled(path: str) -> bytes:
    return compile_for_chip(SOURCES[path].encode(), path)


@pytest.mark.parametrize("base", ["", "micropython/bluetooth/aioble"])
def test_from_a_folder_or_a_checkout_of_micropython_lib(tmp_path: Path, base: str) -> None:
    put(tmp_path / base, SOURCES | ({"manifest.py": "metadata()\n"} if base else {}))
    put(tmp_path / base, {"aioble/empty.py": ""})
    found = from_folder(tmp_path, 6, "xtensawin")
    assert found == {f"{path.removesuffix('.py')}.mpy": compiled(path) for path in SOURCES}


def test_compiled_ones_from_a_folder(tmp_path: Path) -> None:
    for path, data in EXPECTED.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert from_folder(tmp_path, 6, "xtensawin") == EXPECTED
    with pytest.raises(
        BoardError, match=r"__init__\.mpy: this is not for the board.*version 7; Give its source"
    ):
        from_folder(tmp_path, 7, "xtensawin")


def test_a_folder_that_lacks_one(tmp_path: Path) -> None:
    put(tmp_path, {"aioble/core.py": ""})
    with pytest.raises(BoardError, match=r"aioble is not there; Name a folder with aioble/ in it"):
        from_folder(tmp_path, 6, "xtensawin")


def test_a_package_that_does_not_compile(tmp_path: Path) -> None:
    put(tmp_path, SOURCES | {"aioble/core.py": "def new(:\n"})
    with pytest.raises(BoardError, match=r"aioble/core\.py does not compile"):
        from_folder(tmp_path, 6, "xtensawin")
