# I2C and SPI of `machine`: the devices on them are in the world.

import binascii

import _world
from machine import Pin, _pin_id

_HARDWARE_I2C = 2
_HARDWARE_SPI = (1, 2)


class I2C:
    """One of the two I2C controllers, as the master."""

    def __init__(self, id=0, *, scl=None, sda=None, freq=400000, timeout=50000):
        if not 0 <= id < _HARDWARE_I2C:
            raise ValueError("I2C(%d) doesn't exist" % id)
        for pin in (scl, sda):
            if pin is not None:
                _pin_id(pin)

    def init(self, *, scl=None, sda=None, freq=400000):
        raise OSError("I2C operation not supported")

    def start(self):
        raise OSError("I2C operation not supported")

    def stop(self):
        raise OSError("I2C operation not supported")

    def readinto(self, buf, nack=True):
        raise OSError("I2C operation not supported")

    def write(self, buf):
        raise OSError("I2C operation not supported")

    def scan(self):
        """The addresses that somebody answers at."""
        return _world.call("part", "i2c_scan")

    def readfrom(self, addr, nbytes, stop=True):
        return _transfer(addr, None, nbytes)

    def readfrom_into(self, addr, buf, stop=True):
        _into(buf, _transfer(addr, None, len(buf)))

    def writeto(self, addr, buf, stop=True):
        """Returns how many bytes were acknowledged."""
        _transfer(addr, buf, 0)
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join([bytes(part) for part in vector]))

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        return _transfer(addr, _register(memaddr, addrsize), nbytes)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        _into(buf, _transfer(addr, _register(memaddr, addrsize), len(buf)))

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        _transfer(addr, _register(memaddr, addrsize) + bytes(buf), 0)


class SoftI2C(I2C):
    """I2C on any two pins, which can also be spoken in parts."""

    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.init(scl, sda)

    def init(self, scl, sda, *, freq=400000, timeout=50000):
        for pin in (scl, sda):
            Pin(pin).init(Pin.OPEN_DRAIN)
        self._address = self._written = None

    def start(self):
        self._flush()
        self._address = None

    def stop(self):
        self._flush()
        self._address = None

    def write(self, buf):
        """The byte after a start is the address; returns how many were acknowledged."""
        data = bytes(buf)
        if self._address is None and data:
            self._address = data[0] >> 1
            self._written = None if data[0] & 1 else b""
            if self._address not in self.scan():
                self._written = None
                return 0
            return 1 + self.write(data[1:])
        if self._written is None:
            return 0
        self._written += data
        return len(data)

    def readinto(self, buf, nack=True):
        if self._address is None:
            _into(buf, b"\xff" * len(buf))
        else:
            _into(buf, _transfer(self._address, None, len(buf)))

    def _flush(self):
        if self._written:
            _transfer(self._address, self._written, 0)
        self._written = None


def _register(number, bits):
    if bits & 7 or not 0 <= bits <= 32:
        raise ValueError("invalid addrsize")
    return (number & (1 << bits) - 1).to_bytes(bits // 8, "big")


def _transfer(address, data, size):
    return binascii.unhexlify(_world.call("part", "i2c", address, _hex(data), size))


def _hex(data):
    return None if data is None else binascii.hexlify(bytes(data)).decode()


def _into(buf, data):
    memoryview(buf)[: len(data)] = data


class SPI:
    """One of the two SPI controllers that are free, as the master. A pin that is low tells who is meant."""

    MSB = 0
    LSB = 1

    def __init__(
        self, id, baudrate=1000000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None
    ):
        if id not in _HARDWARE_SPI:
            raise ValueError("SPI(%d) doesn't exist" % id)
        self.init(
            baudrate,
            polarity=polarity,
            phase=phase,
            bits=bits,
            firstbit=firstbit,
            sck=sck,
            mosi=mosi,
            miso=miso,
        )

    def init(
        self, baudrate=1000000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None
    ):
        if baudrate <= 0:
            raise ValueError("invalid baudrate")
        for pin in (sck, mosi, miso):
            if pin is not None:
                _pin_id(pin)
        self._open = True

    def deinit(self):
        self._open = False

    def read(self, nbytes, write=0):
        return self._transfer(bytes([write]) * nbytes)

    def readinto(self, buf, write=0):
        _into(buf, self._transfer(bytes([write]) * len(buf)))

    def write(self, buf):
        self._transfer(bytes(buf))

    def write_readinto(self, write_buf, read_buf):
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        _into(read_buf, self._transfer(bytes(write_buf)))

    def _transfer(self, data):
        if not self._open:
            raise OSError("transfer on deinitialized SPI")
        return binascii.unhexlify(_world.call("part", "spi", _hex(data)))


class SoftSPI(SPI):
    """SPI on any three pins."""

    def __init__(
        self, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None
    ):
        if bits != 8:
            raise ValueError("bits must be 8")
        if sck is None or mosi is None or miso is None:
            raise ValueError("must specify all of sck/mosi/miso")
        self.init(baudrate, sck=sck, mosi=mosi, miso=miso)
