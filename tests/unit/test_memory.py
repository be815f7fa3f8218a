"""Modules that are there for a moment, and those that stay."""

import asyncio
import sys

from fakes import forget
from iot import memory
from iot.memory import borrow, load, stay, sweep


class Mode:
    """Within a `with`, what is in `names` stays; then all is as it was before."""

    def __init__(self, *names):
        self._names = names

    def __enter__(self):
        self._modules = dict(sys.modules)
        stay(self._names)

    def __exit__(self, *error):
        memory._STAYING.clear()
        for name in [name for name in sys.modules if name.startswith("iot.")]:
            forget(name)
        for name in sorted(self._modules):  # packages first
            if name.startswith("iot.") and name not in sys.modules:
                sys.modules[name] = self._modules[name]
                package, _, module = name.rpartition(".")
                setattr(self._modules[package], module, self._modules[name])


def loaded(name):
    """Whether sys.modules and the package have it: both or neither."""
    package, _, module = name.rpartition(".")
    there = name in sys.modules
    assert not (package in sys.modules and hasattr(sys.modules[package], module)) or there
    return there


def test_what_was_taken_out_of_a_borrowed_module_works_on():
    module = borrow("iot.crypto.x509")
    assert not loaded("iot.crypto.x509")
    try:
        module.not_after(b"nonsense")
        raise AssertionError("accepted")
    except ValueError:
        pass
    assert borrow("iot.crypto.x509") is not module


def test_a_borrowed_module_goes_with_all_that_it_brought():
    with Mode("iot.memory", "iot.crypto.der"):
        borrow("iot.crypto.p256")
        assert loaded("iot.crypto.der") and loaded("iot.memory")
        for name in ("iot.crypto.p256", "iot.crypto.curve", "iot.crypto.hmac256", "iot.crypto"):
            assert not loaded(name), name


def test_what_stays_is_loaded_once():
    with Mode("iot.memory", "iot.crypto.der"):
        from iot.crypto import der

        borrow("iot.crypto.p256")
        sweep()
        from iot.crypto import der as again

        assert again is der and borrow("iot.crypto.der") is der
        from iot.crypto import p256

        assert p256.sequence is der.sequence


def test_what_is_not_the_library_s_is_not_swept():
    class Application:
        pass

    names = ("firmware.app", "iotx.y", "iotx")
    try:
        with Mode("iot.memory"):
            for name in names:
                sys.modules[name] = Application
            before = [name for name in sys.modules if not name.startswith("iot.")]
            borrow("iot.crypto.x509")
            sweep()
            assert [name for name in sys.modules if not name.startswith("iot.")] == before
    finally:
        for name in names:
            sys.modules.pop(name, None)


def test_a_module_that_cannot_be_imported_leaves_nothing():
    with Mode("iot.memory"):
        try:
            borrow("iot.no_such_module")
            raise AssertionError("imported")
        except ImportError:
            pass
        sweep()
        assert not loaded("iot.no_such_module") and loaded("iot.memory")


async def test_modules_are_loaded_one_by_one_and_others_may_borrow_in_between():
    names = ("iot.backoff", "iot.crypto.x509", "iot.config")
    seen = []

    async def other():
        while True:
            borrow("iot.crypto.der")
            seen.append([name in sys.modules for name in names])
            await asyncio.sleep(0)

    with Mode("iot.memory", *names):
        forget(*names)
        task = asyncio.create_task(other())
        await load(*names)
        task.cancel()
        first = [sys.modules[name] for name in names]
        await load(*names)
        assert [sys.modules[name] for name in names] == first
    assert [True, False, False] in seen and [True, True, False] in seen


class Esp32:
    """A chip whose heap of ESP-IDF's has these (free, largest free block)."""

    HEAP_DATA = 4

    def __init__(self, *regions):
        self._regions = [(100_000, free, largest, 0) for free, largest in regions]

    def idf_heap_info(self, kind):
        assert kind == self.HEAP_DATA
        return self._regions


class Gc:
    def mem_free(self):
        return 70_000

    def mem_alloc(self):
        return 50_000


def test_what_is_free_is_told_without_what_wifi_and_tls_need():
    """MicroPython counts ESP-IDF's largest block as free, since its heap could grow by that."""
    before, real = sys.modules.get("esp32"), memory.gc
    sys.modules["esp32"], memory.gc = Esp32((5000, 4000), (60_000, 40_000), (0, 0)), Gc()
    try:
        assert memory.idf_largest() == 40_000
        assert memory.heap_free() == 30_000 and memory.heap_total() == 80_000
    finally:
        memory.gc = real
        del sys.modules["esp32"]
        if before:
            sys.modules["esp32"] = before


def test_what_is_borrowed_of_the_product_goes_at_once_too():
    class Module:
        pass

    for staying in ((), ("iot.memory",)):
        package, module = Module(), Module()
        package.update_root = module
        sys.modules["product"], sys.modules["product.update_root"] = package, module
        try:
            with Mode(*staying):
                assert borrow("product.update_root") is module
                assert not loaded("product.update_root") and "product" in sys.modules
        finally:
            del sys.modules["product"]
