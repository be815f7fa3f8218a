# First program of a simulated chip's process, on CPython and on MicroPython: builds the chip, runs its files.
#   start.py [FILES NVS HOST PORT MAC [AIOBLE]]
# FILES: a file with a littlefs in it, or a folder; NVS: a folder
# AIOBLE: folder of a package `aioble` to take in place of the simulator's
# Without arguments, on CPython: forks for each request that comes on standard input

import sys

_SHIMS = ("_world", "_flash", "_partition", "_memory", "_threads", "_uctypes")
_SHIMS += ("time", "socket", "esp", "esp32", "network", "machine")
# Modules that MicroPython has built in, where a file of that name would not be found.
_IN_PLACE_OF = {"_tls": "tls", "_gc": "gc", "_micropython": "micropython", "_sys": "sys"}
_EISDIR = 21
_ON_CPYTHON = sys.implementation.name == "cpython"


def main(here, files, nvs, host, port, mac, aioble=None):
    if _ON_CPYTHON:
        from tools.sim.cpython import clock, join_packed_with_text, load_shim
        from tools.sim.cpython.importer import import_from
        from tools.sim.cpython.vfs import Tree, VfsPosix, mount

        if aioble:
            join_packed_with_text()
    else:
        from vfs import VfsPosix, mount, umount

        load_shim = __import__
        sys.path.insert(0, here + "/shims")
    shims = {}
    for name in _SHIMS:
        shims[name] = load_shim(name)
        if name == "_world":
            kept = shims[name].connect(host, int(port), mac)
    sys.modules["_thread"], sys.modules["uctypes"] = shims["_threads"], shims["_uctypes"]
    if not _ON_CPYTHON:
        load_shim("os")
        for name, stands_for in _IN_PLACE_OF.items():
            sys.modules[stands_for] = load_shim(name)
    shims["time"]._offset[0] = kept["clock"]
    shims["machine"]._kept.update(kept)
    shims["network"]._mac[0] = shims["machine"].unique_id()

    call = shims["_world"].call
    _flash = shims["_flash"]
    beside = _flash.Folder(VfsPosix(), nvs + "/..")
    nvs = _flash.Folder(VfsPosix(), nvs)
    flash = _flash.Flash(nvs, gate=lambda: call("write"), cut=lambda: call("power_cut"))
    _flash.current[0] = flash
    flash.partitions = shims["_partition"].Partitions(flash, beside, kept["slots"])
    flash.partitions.boot(soft=kept["cause"] == shims["machine"].SOFT_RESET)
    if not kept["bluetooth"]:  # an ESP32-S2
        shims["esp32"].mcu_temperature = shims["esp32"]._mcu_temperature
        del shims["esp32"].raw_temperature
    root = root_of(files, flash)
    late = late_of(here, kept["bluetooth"], aioble)
    if _ON_CPYTHON:
        root = Tree(root)
        import_from(root, files, late)
        clock.run_ahead(kept["speed"], kept["ahead"], lambda us: call("skip", us))
    else:
        umount("/")
        sys.path[:] = ["", ".frozen", "/lib"]
        for path in late:
            sys.path.append("/.sim" + str(len(sys.path)))
            mount(VfsPosix(path), sys.path[-1])
    mount(root, "/")
    run(call, shims["machine"].SOFT_RESET, kept["prompt"])


def late_of(here, bluetooth, aioble):
    """Folders of the host with what is imported when it is first used."""
    import os

    late = ([aioble] if aioble else []) + [here + "/shims"]
    frozen = here[: -len("/tools/sim")] + "/build/frozen"
    try:
        os.stat(frozen)
        late.append(frozen)
    except OSError:  # nobody has brought umqtt (tools/umqtt.py)
        pass
    return late + ([here + "/shims/radio"] if bluetooth else [])


def root_of(files, flash):
    """The file system of the chip, in a file or in a folder."""
    import _flash

    if _ON_CPYTHON:
        from tools.sim.cpython.lfs import Mapped, VfsLfs2
        from tools.sim.cpython.vfs import VfsPosix
    else:
        from vfs import VfsLfs2, VfsPosix
    try:
        file = open(files, "r+b", buffering=0)  # noqa: SIM115
    except OSError as error:
        if error.errno != _EISDIR:
            raise
        return _flash.Folder(VfsPosix(), files)
    if _ON_CPYTHON:
        file = Mapped(file.fileno(), 0)
    return VfsLfs2(_flash.Blocks(file, flash))


def run(call, soft_reset, prompt):
    """As the chip does: boot.py, then main.py in the same namespace; an error ends one, not the other.

    prompt: what comes then: None for nothing, False for the prompt, True for the raw REPL, before main.py.
    """
    namespace = {"__name__": "__main__"}
    for name in ("boot.py",) if prompt else ("boot.py", "main.py"):
        try:
            with open(name) as file:
                source = file.read()
        except OSError:
            continue  # the chip passes over it in silence
        call("interrupt_character", 3)
        try:
            exec(compile(source, name, "exec"), namespace)
        except SystemExit:
            call("reset", soft_reset)
        except BaseException as error:
            sys.print_exception(error)
    if prompt is not None:
        __import__("_repl").run(namespace, prompt)
        call("reset", soft_reset)


def prepare(here):
    """What each device's process needs on CPython, whatever its arguments."""
    sys.path[0] = here[: -len("/tools/sim")]
    from tools.sim.cpython import forks, importer, install_device, vfs  # noqa: F401

    install_device()
    if not sys.argv[1:]:
        forks.fork_for_each()


here = sys.argv[0][: -len("/start.py")]
if _ON_CPYTHON:
    prepare(here)
main(here, *sys.argv[1:])
