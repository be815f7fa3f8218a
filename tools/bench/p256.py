"""What P-256 costs on the device: field operations counted, and times beside `cryptography` on this machine.

The counts do not depend on the machine: on a chip, where a multiplication has its price, they are the time.
"""

import asyncio
import os
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from iot.crypto import csr, curve, p256

PRIVATE = bytes(range(1, 33))
DIGEST = bytes(range(32, 64))
NAME = "esp32-240ac4000001"
_ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_S = 120
# Seconds of each run, on MicroPython's unix port.
_ON_MICROPYTHON = f"""
import asyncio, time
from iot.crypto import csr
for _ in range(%d):
    start_us = time.ticks_us()
    asyncio.run(csr.make(lambda size: {PRIVATE!r}, {NAME!r}))
    print(time.ticks_diff(time.ticks_us(), start_us) / 1e6)
"""
_ALGORITHM = ec.ECDSA(Prehashed(hashes.SHA256()))


def operations() -> dict[str, Callable[[], Coroutine[Any, Any, Any]]]:
    """The device's operations by name; `generate` is `public` and 32 random bytes, `csr` with its request."""
    public = asyncio.run(p256.public(PRIVATE))
    signature = asyncio.run(p256.sign(PRIVATE, DIGEST))
    return {
        "public": lambda: p256.public(PRIVATE),
        "ecdh": lambda: p256.ecdh(PRIVATE, public),
        "sign": lambda: p256.sign(PRIVATE, DIGEST),
        "verify": lambda: p256.verify(public, DIGEST, signature),
        "csr": lambda: csr.make(lambda size: PRIVATE, NAME),
    }


def counts() -> dict[str, dict[str, int]]:
    """Doublings, additions, multiplications outside of inversions, and inversions of each operation."""
    return {name: _counted(operation) for name, operation in operations().items()}


def _counted(operation: Callable[[], Coroutine[Any, Any, Any]]) -> dict[str, int]:
    count: Counter[str] = Counter(doublings=0, additions=0, multiplications=0, inversions=0)
    with _counting(count):
        asyncio.run(operation())
    return dict(count)


@contextmanager
def _counting(count: Counter[str]) -> Iterator[None]:
    """Have the device's modules count what they do."""

    class Number(int):
        """Counts the products of two numbers; a constant factor of a formula is none."""

        def __mul__(self, other: int) -> int:
            count["multiplications"] += isinstance(other, Number)
            return Number(int(self) * int(other))

        def __rmul__(self, other: int) -> int:
            return Number(int(self) * int(other))

        def __add__(self, other: int) -> int:
            return Number(int(self) + int(other))

        def __radd__(self, other: int) -> int:
            return Number(int(self) + int(other))

        def __sub__(self, other: int) -> int:
            return Number(int(self) - int(other))

        def __rsub__(self, other: int) -> int:
            return Number(int(other) - int(self))

        def __mod__(self, other: int) -> int:
            return Number(int(self) % int(other))

    def numbered(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(Number(value) if isinstance(value, int) else numbered(value) for value in values)

    def wrapped(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            count[name] += 1
            return function(*numbered(arguments))

        return call

    replaced = {
        (curve, "_double"): wrapped(curve._double, "doublings"),
        (curve, "_add"): wrapped(curve._add, "additions"),
        (curve, "inverse"): wrapped(curve.inverse, "inversions"),
        (p256, "inverse"): wrapped(curve.inverse, "inversions"),
        (curve, "int"): Number,
        (curve, "_B"): Number(curve._B),
        (p256, "int"): Number,
    }
    before = {place: vars(place[0]).get(place[1]) for place in replaced}
    try:
        for (module, name), value in replaced.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), original in before.items():
            if original is None:
                delattr(module, name)
            else:
                setattr(module, name, original)


def measure(runs: int, micropython: str | None = None) -> dict[str, dict[str, float]]:
    """The counts of each operation, and the median times of so many runs: ours and `cryptography`'s.

    With a MicroPython unix binary also what a request takes there.
    """
    ours, theirs = operations(), _theirs()
    figures: dict[str, dict[str, float]] = {}
    for name, counted in counts().items():
        ours_s, theirs_s = asyncio.run(_in_turns(ours[name], runs)), _median(theirs[name], runs)
        figures[name] = {**counted, "ours_s": ours_s, "cryptography_s": theirs_s, "ratio": ours_s / theirs_s}
    if micropython:
        figures["csr"]["micropython_s"] = on_micropython(micropython, runs)
    return figures


def on_micropython(binary: str, runs: int) -> float:
    """The median time of a key and its request on a MicroPython unix binary; OSError where that fails."""
    done = subprocess.run(
        [binary, "-c", _ON_MICROPYTHON % runs],
        env={**os.environ, "MICROPYPATH": f".frozen:{_ROOT / 'lib'}"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise OSError(f"{binary}: {done.stderr.strip()}")
    return statistics.median(float(line) for line in done.stdout.split())


def _theirs() -> dict[str, Callable[[], Any]]:
    key = ec.derive_private_key(int.from_bytes(PRIVATE, "big"), ec.SECP256R1())
    public = key.public_key()
    signature = key.sign(DIGEST, _ALGORITHM)
    return {
        "public": lambda: ec.derive_private_key(int.from_bytes(PRIVATE, "big"), ec.SECP256R1()),
        "ecdh": lambda: key.exchange(ec.ECDH(), public),
        "sign": lambda: key.sign(DIGEST, _ALGORITHM),
        "verify": lambda: public.verify(signature, DIGEST, _ALGORITHM),
        "csr": _their_request,
    }


def _their_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


async def _in_turns(operation: Callable[[], Coroutine[Any, Any, Any]], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        await operation()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _median(operation: Callable[[], Any], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        operation()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
