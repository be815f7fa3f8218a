"""Numbers and names of docs/ble.md; framing and result codes are the device's own modules."""

import sys
from pathlib import Path

from tools.sim.cpython import micropython

# All these modules need of MicroPython is `const`.
sys.modules.setdefault("micropython", micropython)
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from iot import identity  # noqa: E402
from iot.ble.codes import NAMES  # noqa: E402
from iot.ble.codes import Refused as FrameError  # noqa: E402
from iot.ble.frames import MESSAGE_MAX, Assembler, split  # noqa: E402
from iot.identity import on_air  # noqa: E402

__all__ = ["MESSAGE_MAX", "NAMES", "Assembler", "FrameError", "identity", "on_air", "result_name", "split"]

VERSION = 1
SERVICE = "5704246a-5d4c-4f19-9b53-157d8824063d"
AUTH, CONFIG, STATUS, DATA = 1, 2, 3, 4
CHANNELS = {
    AUTH: "15ba8b82-df9a-46dc-865a-177a17ad9035",
    CONFIG: "20a62cd0-93ba-41e2-96b0-31b1aa131909",
    STATUS: "3a21768b-174a-41bc-8b25-b9c1ebfb7510",
    DATA: "43c5e37d-b664-4b4a-aa33-032bbaf7133f",
}

BEGIN, PIECE, COMMIT = 1, 2, 3  # operations on CONFIG
GET, SCAN, TIME = 1, 2, 3  # and on STATUS

DOCUMENT_MAX = 16_384  # bytes
PIECE_MAX = 1024
PACKET_NAME_MAX = 16
PACKET_MAX = 1024

MTU_MIN = 23  # Bluetooth Core 5.4, vol. 3, part G, 5.2.1
MTU_MAX = 515  # a larger one is of no use: an attribute has at most 512 bytes (vol. 3, part F, 3.2.9)


def result_name(number: int) -> str:
    """The name of a result code."""
    return NAMES[number] if 0 <= number < len(NAMES) else "UNKNOWN_FAILURE"
