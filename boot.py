"""First on the chip: what has to be so before main.py runs. No network, next to no heap."""

import binascii
import errno
import os

import esp
import esp32
import machine


def due():
    """The folder of the version that is on trial, while it has starts left, or that counts, "" for the
    factory's; and the number of the slot that is on trial.
    """

    def is_whole(folder):
        """Whether a slot has a manifest that is as it was written (iot.ota.slots), and a pack of its size."""
        try:
            with open(folder + "/manifest", "rb") as file:
                text = file.read()
            size = int(text[text.index(b"\nsize ") + 6 :].split(b"\n", 1)[0])
            is_whole = text[-13:] == b"crc %08x\n" % binascii.crc32(text[:-13])
            if is_whole and size == os.stat(folder + "/firmware.pack")[6]:
                return True
        except (OSError, ValueError):
            pass
        print(folder, "is not whole: the factory's version starts")
        return False

    nvs = esp32.NVS("iot")

    def number(key):
        try:
            return nvs.get_i32(key)
        except OSError:
            return 0

    numbers = number("boot0"), number("boot1")
    state = max(numbers)
    if state & 0x3F0:  # a start less is left for the slot on trial
        nvs.set_i32("boot0" if state == numbers[1] else "boot1", state + 0x400 - 0x10)
        nvs.commit()
    trial = state >> 2 & 3
    folder = ("", "/a", "/b", "")[trial if state & 0x3F0 else state & 3]
    return folder if folder and is_whole(folder) else "", trial


def start(due):
    """Finishes a deployment, has modules imported from the pack of the version that is due. What fails is
    told, and main.py starts.
    """

    def is_there(path):
        try:
            os.stat(path)
        except OSError:
            return False
        return True

    def attempt(what, function, *paths):
        """Whether it is done, now or before a cut; if not, that is told, and no start fails for it again."""
        try:
            function(*paths)
        except OSError as error:
            if error.errno != errno.ENOENT:
                print("deployment:", what, paths[-1], error)
                return False
        return True

    def finish_deployment():
        """Puts what tools/board/deploy.py staged into its place, by the list that is there once all of it is.

        Where the power is cut, the next start begins again and finds less to do. A move that fails before any
        was made gives the deployment up, and what was there starts; any other step that fails is passed over.
        """
        # A cut in a move hides another entry until anything is changed (littlefs of MicroPython 1.28, 1.29).
        attempt("not removed", os.remove, "/deploy/list.new")
        if not is_there("/deploy"):  # as at nearly every start
            return
        if is_there("/deploy/list"):  # all of it was staged
            moved = False
            steps = open("/deploy/list")  # noqa: SIM115
            for step in steps:
                path = step[2:].rstrip()
                if step[0] != ">":
                    attempt("not removed", os.remove if step[0] == "-" else os.rmdir, path)
                elif attempt("not moved", os.rename, "/deploy" + path, path):
                    moved = True
                elif not moved:
                    print("deployment: given up, nothing is changed")
                    break
            steps.close()
            os.remove("/deploy/list")
        if not os.listdir("/deploy"):
            os.rmdir("/deploy")

    def mount(folder, trial):
        """Has modules imported from the pack there; whether there is one."""
        try:
            import pack
        except ImportError:  # modules are files as yet: a deployment brings boot.py first
            return False
        pack.folder, pack.trial = folder, trial  # type: ignore[attr-defined] # iot.ota has to know
        try:
            pack.mount(folder + "/firmware.pack")
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return False
        return True

    for part in (finish_deployment, lambda: mount(*due()), lambda: mount("", 0)):
        try:
            if part():
                break
        except Exception as error:
            import sys

            sys.print_exception(error)


start(due)
del start, due  # main.py has the same globals
esp.osdebug(None)  # of ESP-IDF's own log only errors may break into the console's lines
machine.freq(240_000_000)  # a TLS handshake holds the loop for a third less time than at the default 160 MHz
