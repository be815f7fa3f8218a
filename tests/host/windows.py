"""`python windows.py VERB …`: `python3 -m tools VERB …` where Python has only what it has on Windows.

That is a list, kept by hand, of modules, functions and manners, the encoding of files among them.
"""

import asyncio
import importlib
import os
import select
import signal
import sys
import warnings
from typing import Any

MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
ATTRIBUTES: dict[Any, tuple[str, ...]] = {
    os: (
        *("chown", "fork", "geteuid", "getgid", "getpgid", "getuid", "killpg", "mkfifo", "openpty", "pread"),
        *("setsid", "sysconf", "uname", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"),
    ),
    signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "pthread_sigmask", "setitimer"),
    select: ("epoll", "poll"),
    asyncio: ("open_unix_connection", "start_unix_server"),
}
# Others' libraries that on Windows import what there is on Windows.
HAVE_THEIR_OWN = (
    "aiohttp",
    "boto3",
    "esptool",
    "mpremote.main",
    "prompt_toolkit",
    "rich.console",
    "serial.tools.list_ports",
)
LOOP = ("add_signal_handler", "remove_signal_handler")


def not_there(*_: object) -> None:
    raise NotImplementedError


def rename(source: Any, target: Any, _rename: Any = os.rename) -> None:
    if os.path.exists(target):
        raise FileExistsError(target)
    _rename(source, target)


def be_windows() -> None:
    for library in HAVE_THEIR_OWN:
        importlib.import_module(library)
    for module in MODULES:
        sys.modules[module] = None  # type: ignore[assignment]  # as Python has it: ImportError
    for owner, names in ATTRIBUTES.items():
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)
    for name in LOOP:
        setattr(asyncio.SelectorEventLoop, name, not_there)
    os.rename = rename  # type: ignore[assignment]
    sys.platform = "win32"
    warnings.filterwarnings("error", category=EncodingWarning, module=r"tools\.")


if __name__ == "__main__":
    be_windows()
    sys.path.insert(0, os.getcwd())
    from tools.__main__ import main

    sys.exit(main())
