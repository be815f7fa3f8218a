"""Single values in NVS, and what it says where there is none. In memory for the moment of a read or write.

A change is committed at once. All of these raise OSError where NVS fails, which is not the same as none.
"""

from micropython import const

_NOT_FOUND = const(-0x1102)  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = const(-0x110C)  # ESP_ERR_NVS_INVALID_LENGTH: larger than the buffer


def get_i32(nvs, key):
    """The number stored as `key`, 1 to 15 characters, in an esp32.NVS; 0 for none."""
    return _found(nvs.get_i32, key) or 0


def get_blob(nvs, key, buffer):
    """The bytes stored as `key`, as a view of `buffer`; None for none. OSError where it is too small."""
    size = _found(nvs.get_blob, key, buffer)
    return None if size is None else memoryview(buffer)[:size]


def get_text(nvs, key, size):
    """The text stored as `key`; None for none, and for what is longer than `size` bytes or no text."""
    try:
        value = get_blob(nvs, key, bytearray(size))
        return None if value is None else str(value, "utf-8")
    except ValueError:
        return None
    except OSError as error:
        if error.errno != _INVALID_LENGTH:
            raise
        return None


def set(nvs, key, value):
    """Stores a number of 32 bits, or bytes."""
    nvs.set_i32(key, value) if isinstance(value, int) else nvs.set_blob(key, value)
    nvs.commit()


def erase_key(nvs, key):
    """Removes what is stored, if anything is."""
    _found(nvs.erase_key, key)
    nvs.commit()


def _found(call, *args):
    try:
        return call(*args)
    except OSError as error:
        if error.errno != _NOT_FOUND:
            raise
        return None
