# Runs on a board, where deploy.py defines it over the raw REPL. MicroPython's Python; paths are absolute.

import binascii
import hashlib
import os

_buffer = memoryview(bytearray(2048))
_files = []  # the file that is being written
_ALL = 1 << 29  # bytes: more than any file has


def _names(folder):
    try:
        return [entry[:2] for entry in os.ilistdir(folder)]
    except OSError:  # there is none
        return []


def _is_folder(path):
    try:
        return bool(os.stat(path)[0] & 0x4000)
    except OSError:
        return None


def _pieces(file, size):
    """Read up to `size` bytes, a buffer at a time."""
    while size and (length := file.readinto(_buffer[:size])):
        yield _buffer[:length]
        size -= length


def _digest(file, size=_ALL):
    digest = hashlib.sha256()
    for piece in _pieces(file, size):
        digest.update(piece)
    return str(binascii.hexlify(digest.digest()), "ascii")


def survey(paths):
    """Print `SHA-256 path` for each file at the paths and below, and `/ path` for each folder."""
    for path in paths:
        folder = _is_folder(path)
        if folder is not None:
            _survey(path, folder)


def _survey(path, folder):
    if not folder:
        with open(path, "rb") as file:
            print(_digest(file), path)
        return
    print("/", path)
    for name, kind in _names(path):
        _survey(path + "/" + name, kind & 0x4000)


def digests(path, start, sizes):
    """Print the SHA-256 of parts of a file that follow one another."""
    with open(path, "rb") as file:
        file.seek(start)
        for size in sizes:
            print(_digest(file, size))


def finish():
    """Carry out a deployment that was broken off, by the boot.py that came with it."""
    try:  # noqa: SIM105
        os.remove("/deploy/list.new")
    except OSError:  # anything that is changed brings back what a cut in a move has hidden
        pass
    if _is_folder("/deploy/list") is not None:
        with open("/boot.py") as file:
            exec(file.read(), {})  # noqa: S102


def start_factory():
    """Have boot.py start the version in /, whatever was updated or is to be."""
    import esp32  # noqa: PLC0415 - here alone

    nvs = esp32.NVS("iot")
    for key in ("boot0", "boot1"):
        try:  # noqa: SIM105
            nvs.erase_key(key)
        except OSError:  # there is none
            pass
    nvs.commit()
    try:  # noqa: SIM105
        os.remove("/certs/update")
    except OSError:
        pass


def discard(folder):
    """Remove a folder and all that is in it, if it is there."""
    while names := _names(folder):  # a cut in a move may have hidden one of them
        for name, kind in names:
            path = folder + "/" + name
            if kind & 0x4000:
                discard(path)
            else:
                os.remove(path)
    if _is_folder(folder):
        os.rmdir(folder)


def make(folders):
    """Make those folders that are not there, from the outermost."""
    for folder in folders:
        if not _is_folder(folder):
            os.mkdir(folder)


def begin(path):
    """Start a file; `write` and `copy` add to it."""
    _files[:] = [open(path, "w+b")]  # noqa: SIM115


def write(piece):
    """Add what `piece` is the base64 of."""
    _files[0].write(binascii.a2b_base64(piece))


def copy(path, start, size):
    """Add a part of another file."""
    with open(path, "rb") as file:
        file.seek(start)
        for piece in _pieces(file, size):
            _files[0].write(piece)


def end():
    """The file is whole: print the SHA-256 of what the flash now holds."""
    file = _files.pop()  # read while it is open: littlefs is slow in finding files of a large folder
    file.flush()
    file.seek(0)
    print(_digest(file))
    file.close()
