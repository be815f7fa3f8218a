"""`python3 -m tools phone`, and the page's server."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tools.phone import Page, PageError

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "phone", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html"),
        ("app.js", "text/javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("manifest.webmanifest", "application/manifest+json"),
    ],
)
async def test_files_have_their_types_and_are_not_kept(name: str, kind: str) -> None:
    async with Page(0) as page, aiohttp.ClientSession() as session, session.get(page.url + name) as answer:
        assert answer.status == 200
        assert answer.content_type == kind
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["serve.py", "..%2Fserve.py", "%2e%2e/serve.py", "none.js", "sub/app.js"])
async def test_nothing_else_is_served(path: str) -> None:
    async with Page(0) as page, aiohttp.ClientSession() as session, session.get(page.url + path) as answer:
        assert answer.status == 404
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_product_is_served_where_there_is_one() -> None:
    async with Page(0, {"aws": {}}) as page, aiohttp.ClientSession() as session:
        async with session.get(page.url + "product.json") as answer:
            assert await answer.json() == {"aws": {}}
        page.product = None
        async with session.get(page.url + "product.json") as answer:
            assert answer.status == 204


async def test_a_port_that_is_taken() -> None:
    async with Page(0) as page:
        with pytest.raises(PageError, match=f"cannot listen on localhost port {page.port}.*--port"):
            await Page(page.port).__aenter__()


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "python3 -m tools phone --product product.json" in done.stdout


def test_port_in_use() -> None:
    with socket.create_server(("localhost", 0)) as taken:
        done = run("--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Stop what uses it, or give another --port." in done.stderr


@pytest.mark.parametrize(
    ("product", "reason"),
    [
        ({"wifi": [], "aws": {}}, "wifi: not a product's"),
        ({"aws": {"endpoint": "x"}}, "aws.root_ca: missing"),
        ([], "not a JSON object"),
    ],
)
def test_a_product_file_that_is_wrong(tmp_path: Path, product: object, reason: str) -> None:
    file = tmp_path / "product.json"
    file.write_text(json.dumps(product))
    done = run("--port", "0", "--product", str(file))
    assert done.returncode == 1
    assert reason in done.stderr
