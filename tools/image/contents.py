"""What `tools deploy` leaves on a board, made without one."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tools.board import files, images, packages, settings
from tools.board.deploy import BUILT
from tools.board.errors import BoardError
from tools.board.found import PACK
from tools.board.pack import pack
from tools.board.progress import Progress

PRODUCT = "product.json"  # where lib/iot/console/provision.py looks for it


def firmware(
    image: images.Image,
    progress: Progress,
    built: datetime | None = None,
    package_folder: Path | None = None,
    with_packages: bool = True,
    index: str | None = None,
    product: dict[str, Any] | None = None,
) -> dict[str, bytes]:
    """The files for a board with this image, by their paths there.

    Args:
        image: MicroPython's.
        progress: is told what is being done.
        built: no clock of the device is before; without, that is what firmware/settings.py says.
        product: what a configuration has beside its networks; with it Wi-Fi is all that such a board lacks.
        package_folder, with_packages, index: where aioble comes from, as for a deployment.

    Raises:
        BoardError: something does not compile, is missing, or is for no chip that is known.
    """
    files.check_list()
    settings.check()
    architecture = image.architecture
    progress("compiling", 0, 0)
    scripts, modules = files.compiled(architecture)
    if with_packages:
        progress("getting packages", 0, 0)
        modules |= packages.chosen(package_folder, index, files.mpy_version(), architecture)
    try:
        found = scripts | {PACK: pack(modules)}
    except ValueError as error:
        raise BoardError("no pack can be made of these modules", str(error)) from None
    if built:
        found[BUILT] = f"{built:%Y %m %d %H %M %S}\n".encode()
    if product:
        found[PRODUCT] = json.dumps(product).encode()
    return found


def name() -> str:
    """Whose files these are, and their version."""
    known = settings.values()
    return f"{known.get('PRODUCT', 'firmware')} {known.get('VERSION', '')}".rstrip()
