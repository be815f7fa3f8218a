"""docs/board.md says what the tools say, and its example for AWS makes what a device needs."""

import ast
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tools.board import document
from tools.cloud import Cloud

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/board.md").read_text("utf-8")
SOURCES = [*(ROOT / "tools").rglob("*.py"), *(ROOT / "lib").rglob("*.py")]


def texts() -> list[str]:
    """All strings in the sources; of an f-string the parts between its fields."""
    nodes = [node for file in SOURCES for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_the_table_of_failures_has_the_tools_own_words() -> None:
    table = PAGE.partition("\n## When it does not work\n")[2]
    keys = [
        key for first in re.findall(r"(?m)^\| ([^|]+) \|", table) for key in re.findall("`([^`]+)`", first)
    ]
    assert len(keys) > 20
    said = "\n".join(texts())
    assert [key for key in keys if key not in said] == []


async def test_the_example_for_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(import.*?)```", PAGE, re.DOTALL)
    async with Cloud(tmp_path / "cloud", port=0) as cloud:
        boto3: Any = ModuleType("boto3")
        boto3.client = lambda service: {"iot": Iot(cloud), "sts": Sts()}[service]
        monkeypatch.setitem(sys.modules, "boto3", boto3)
        monkeypatch.chdir(tmp_path)
        Path("AmazonRootCA3.pem").write_text(cloud.root_ca)
        Path("AmazonRootCA1.pem").write_text("")
        exec(compile(example, "docs/board.md", "exec"), {})
        configuration = document.load(Path("aws.json"))
        template = cloud.registry.describe_provisioning_template(templateName="FleetTemplate")
    assert configuration["aws"]["endpoint"] == "localhost"
    assert "arn:aws:iot:eu-central-1:123456789012:topic/telemetry/" in template["templateBody"]


class Iot:
    """boto3's client for IoT, with the local cloud's registry behind it."""

    meta = SimpleNamespace(region_name="eu-central-1")

    def __init__(self, cloud: Cloud) -> None:
        self._registry = cloud.registry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def describe_endpoint(self, endpointType: str) -> dict[str, str]:
        assert endpointType == "iot:Data-ATS"
        return {"endpointAddress": "localhost"}


class Sts:
    """boto3's client for the account's own data."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}
