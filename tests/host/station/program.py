"""`python -m tests.host.station.program …`: the tools, to which a simulated chip on CPython is an ESP32."""

import sys

from tools.__main__ import main
from tools.board import repl

repl._FACTS = repl._FACTS.replace("sys.platform, i.version[:3]", '"esp32", (1, 25, 0)')

if __name__ == "__main__":
    sys.exit(main())
