"""MicroPython's own `os`, and what the WebAssembly VM lacks of the chip's: random bytes, got from Node."""

import binascii

import host
from uos import *  # noqa: F403


def urandom(count):
    return binascii.unhexlify(host.random(count))
