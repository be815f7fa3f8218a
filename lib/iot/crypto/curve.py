"""The arithmetic of the curve P-256 (SP 800-186, 3.2.1.3), in turns with asyncio's loop.

A scalar goes through one fixed sequence of doublings and additions, whatever its bits. With Python's integers
more cannot be promised: how long they take depends a little on their values, tables are read at places that
depend on the scalar, and copies of secrets stay on the heap until it is overwritten. So this is meant for a
chip of its own, against those who talk to it, and not against those who hold a probe to it.
"""

import asyncio

from micropython import const

P = const(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)
N = const(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)
G = const(
    b"\x04"
    b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
    b"\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
    b"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
    b"\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
)
_B = const(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B)
_BITS = const(256)
_WINDOW = const(4)


def point(public):
    """The affine coordinates (X, Y) of a public key; ValueError where it is no point of the curve."""
    x, y = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
    if len(public) != 65 or public[0] != 4 or max(x, y) >= P or (x * x * x - 3 * x + _B - y * y) % P:
        raise ValueError("public key: no point of P-256")
    return x, y


async def combine(*terms):
    """The sum of all scalar·point, in Jacobian coordinates.

    Those are (X, Y, Z) for (X / Z**2, Y / Z**3), where Z is 0 for infinity.

    Args:
        terms: (scalar, point) each, with a scalar of 0 to N - 1 and a point's affine coordinates.
    """
    tables = []
    for scalar, point in terms:
        tables.append((_recoded(scalar, _BITS), _multiples(point)))
        await asyncio.sleep_ms(0)
    total = 1, 1, 0
    for at in range(_BITS - _WINDOW, -1, -_WINDOW):
        for digits, table in tables:
            total = _add(total, table[digits >> at & 15])
        if at:
            for _ in range(_WINDOW):
                total = _double(total)
        # The loop is to be held for 20 ms at most. A doubling and an addition may take an ESP32 2.5 ms, so
        # with two terms this takes up to 8 ms, and a table above 12 ms.
        await asyncio.sleep_ms(0)
    return total


async def affine(point):
    """The affine coordinates of a point in Jacobian ones, which is not infinity."""
    x, y, z = point
    z = await inverse(z, P)
    square = z * z % P
    return x * square % P, y * square % P * z % P


async def inverse(number, modulus):
    """The inverse modulo P or N, by Fermat: a power, in three parts of at most 13 ms (224 products)."""
    bits = _BITS // 2
    exponent = modulus - 2
    high = pow(number, exponent >> bits, modulus)
    await asyncio.sleep_ms(0)
    high = pow(high, 1 << bits, modulus)
    await asyncio.sleep_ms(0)
    low = pow(number, exponent % (1 << bits), modulus)
    await asyncio.sleep_ms(0)
    return high * low % modulus


def _recoded(scalar, bits):
    """Digits without zero: each bit of the result stands for +1 or -1, four of them for an odd -15 to 15.

    Such a sum is odd, so an even scalar has N taken from it (Hamburg, "Fast and compact elliptic-curve
    cryptography", 2012). In one term of 1 to N - 1, _add then meets no infinity behind its first step, and no
    equal points but in the last step for 2 and N - 2; in two terms, whoever chose them can bring that about.
    """
    odd = scalar - (~scalar & 1) * N
    return (odd >> 1) + (1 << bits - 1)


def _multiples(point):
    """-15, -13, ... 15 times an affine point, each (X, Y, Z, Z**2, Z**3)."""
    x, y = point
    z = _B  # as good as any large number; with 1 the digits 1 and -1 would take less time than others
    square = z * z % P
    point = x * square % P, y * square % P * z % P, z
    twice = _prepared(_double(point))
    multiples = [_prepared(point)]
    for _ in range(7):
        point = _add(point, twice)
        multiples.append(_prepared(point))
    return [(x, P - y, z, square, cube) for x, y, z, square, cube in reversed(multiples)] + multiples


def _prepared(point):
    x, y, z = point
    square = z * z % P
    return x, y, z, square, square * z % P


def _double(point):
    """2·point: 8 multiplications (dbl-2001-b of the Explicit-Formulas Database, for a = -3)."""
    x, y, z = point
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x = (alpha * alpha - 8 * beta) % P
    return x, (alpha * (4 * beta - x) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(point, prepared):
    """point + prepared, where the latter is not infinity: 14 multiplications (add-1998-cmo-2)."""
    x1, y1, z1 = point
    if not z1:
        return prepared[:3]
    x2, y2, z2, square, cube = prepared
    x1 = x1 * square % P
    y1 = y1 * cube % P
    square = z1 * z1 % P
    h = (x2 * square - x1) % P
    r = (y2 * square % P * z1 - y1) % P
    if not h:
        return (1, 1, 0) if r else _double(point)
    square = h * h % P
    cube = h * square % P
    x1 = x1 * square % P
    x = (r * r - cube - 2 * x1) % P
    return x, (r * (x1 - x) - y1 * cube) % P, z1 * z2 % P * h % P
