"""What a simulated camera sees: the pictures of a folder in turn, or one that is drawn, of any size."""

import io
import time
from pathlib import Path

PICTURE_BYTES = 200_000  # where nothing is wired
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_WIDTH, _HEIGHT = 480, 360
_SEGMENT = 0xFFFF  # bytes of a comment in a JPEG, with the two that tell its length


def picture(wired: str | float, number: int) -> bytes:
    """The bytes of picture `number`, from 1 on; of a folder without pictures those of none.

    wired: a folder; or the bytes of a JPEG that is drawn, with its number and the time.
    """
    if not isinstance(wired, str):
        return _drawn(int(wired), number)
    files = sorted(file for file in Path(wired).iterdir() if file.suffix.lower() in _SUFFIXES)
    return files[(number - 1) % len(files)].read_bytes() if files else b""


def _drawn(size: int, number: int) -> bytes:
    """A JPEG, brought to `size` by comments, which every reader skips; one that is larger already stays."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - most devices have no camera

    colour = (40 + 37 * number % 160, 60 + 91 * number % 140, 110 + 53 * number % 110)
    image = Image.new("RGB", (_WIDTH, _HEIGHT), colour)
    pen = ImageDraw.Draw(image)
    pen.ellipse((60, 40, 300, 280), fill="white")
    pen.ellipse((110, 90, 250, 230), fill=colour)
    pen.text((20, 300), f"simulated camera, picture {number}", fill="white", font_size=20)
    pen.text((20, 325), time.strftime("%Y-%m-%d %H:%M:%S"), fill="white", font_size=20)
    made = io.BytesIO()
    image.save(made, "JPEG", quality=60)
    data = made.getvalue()
    comments, left = [], size - len(data)
    while left >= 4:
        whole = min(left, _SEGMENT + 2)
        whole -= 4 if 0 < left - whole < 4 else 0
        comments.append(b"\xff\xfe" + (whole - 2).to_bytes(2, "big") + bytes(whole - 4))
        left -= whole
    return data[:2] + b"".join(comments) + data[2:]
