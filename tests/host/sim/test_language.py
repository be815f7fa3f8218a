"""MicroPython's manners on the device, where CPython's are others. Each test runs on every interpreter."""

from tools.sim import Device


async def test_the_clock_starts_in_2000_and_counts_from_there(run) -> None:
    await run(
        """
        import time
        assert 0 <= time.time() < 200 and isinstance(time.time(), int)
        assert time.gmtime(0) == (2000, 1, 1, 0, 0, 0, 5, 1)
        assert time.gmtime(820638245) == (2026, 1, 2, 3, 4, 5, 4, 2)
        assert time.gmtime(-1) == (1999, 12, 31, 23, 59, 59, 4, 365)
        for year in range(2000, 2105):
            for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
                seconds = time.mktime((year, month, day, 1, 2, 3, 0, 0))
                assert time.localtime(seconds)[:6] == (year, month, day, 1, 2, 3)
        assert time.mktime((2100, 3, 1, 0, 0, 0, 0, 0)) - time.mktime((2100, 2, 28, 0, 0, 0, 0, 0)) == 86400
        """
    )


async def test_ticks_wrap(run) -> None:
    await run(
        """
        import asyncio
        import time
        assert time.ticks_diff(time.ticks_add(5, -10), 5) == -10
        if time.ticks_add(0, -1) < 1 << 30:  # 32 bits, as the chip
            too_long = lambda: time.ticks_add(0, 1 << 29), lambda: asyncio.sleep_ms(1 << 29)
            for call in too_long + (lambda: asyncio.sleep(536871),):
                try:
                    call()
                    assert False, "six days and more"
                except OverflowError:
                    pass
        start = time.ticks_ms()
        time.sleep_ms(20)
        assert 20 <= time.ticks_diff(time.ticks_ms(), start) < 5000
        """
    )


async def test_a_timeout_is_no_oserror_and_sleep_no_coroutine(run) -> None:
    await run(
        """
        import asyncio
        async def forever():
            await asyncio.sleep(1000)
        async def main():
            try:
                await asyncio.wait_for_ms(forever(), 10)
                assert False
            except asyncio.TimeoutError as error:
                assert not isinstance(error, OSError)
            try:
                await asyncio.wait_for(asyncio.sleep(0), 1)
                assert False
            except TypeError:
                pass
        asyncio.run(main())
        """
    )


async def test_wait_for_passes_on_what_comes_of_the_task(run) -> None:
    await run(
        """
        import asyncio
        async def seven():
            return 7
        async def fails():
            raise OSError(5, "EIO")
        async def main():
            assert await asyncio.wait_for(seven(), 5) == 7
            assert await asyncio.wait_for(seven(), None) == 7
            assert await asyncio.gather(seven(), asyncio.create_task(seven())) == [7, 7]
            try:
                await asyncio.wait_for_ms(fails(), 5000)
                assert False
            except OSError as error:
                assert error.errno == 5
        asyncio.run(main())
        """
    )


async def test_a_task_can_be_cancelled_once_and_asked_nothing_else(run) -> None:
    await run(
        """
        import asyncio
        ended = []
        async def work():
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append(asyncio.current_task())
        async def main():
            task = asyncio.create_task(work())
            await asyncio.sleep_ms(0)
            assert not task.done() and task.cancel()
            try:
                await task
                assert False
            except asyncio.CancelledError as error:
                assert not isinstance(error, Exception)
            assert task.done() and not task.cancel() and ended == [task]
            assert not hasattr(task, "result") and not hasattr(task, "add_done_callback")
            try:
                asyncio.current_task().cancel()
                assert False
            except RuntimeError:
                pass
        asyncio.run(main())
        """
    )


async def test_an_exception_that_nobody_awaits_is_printed(run) -> None:
    lines = await run(
        """
        import asyncio
        async def fails():
            raise ValueError("unseen")
        async def main():
            asyncio.create_task(fails())
            await asyncio.sleep_ms(50)
            def handler(loop, context):
                print("handled", context["exception"])
            asyncio.get_event_loop().set_exception_handler(handler)
            asyncio.create_task(fails())
            await asyncio.sleep_ms(50)
        asyncio.run(main())
        """
    )
    assert lines[0] == "Task exception wasn't retrieved"
    assert lines[-2:] == ["ValueError: unseen", "handled unseen"]


async def test_an_event_lock_and_flag(run) -> None:
    await run(
        """
        import asyncio
        async def main():
            event, lock, flag = asyncio.Event(), asyncio.Lock(), asyncio.ThreadSafeFlag()
            order = []
            async def waiter(name):
                await event.wait()
                async with lock:
                    order.append(name)
                    await asyncio.sleep_ms(1)
            tasks = [asyncio.create_task(waiter(name)) for name in "ab"]
            await asyncio.sleep_ms(1)
            event.set()
            await asyncio.gather(*tasks)
            assert order == ["a", "b"] and not lock.locked() and event.is_set()
            flag.set()
            await flag.wait()
            try:
                await asyncio.wait_for_ms(flag.wait(), 10)
                assert False
            except asyncio.TimeoutError:
                pass
        asyncio.run(main())
        """
    )


async def test_the_console_reads_characters_and_lines(device: Device, load) -> None:
    load(
        """
        import asyncio, sys
        async def main():
            stream = asyncio.StreamReader(sys.stdin)
            print("ready")
            print(await stream.read(1), await stream.readline())
            print(await stream.readline())
        asyncio.run(main())
        """
    )
    await device.power_on()
    await device.expect("ready")
    await device.send("über den Draht")
    await device.send("noch eine")
    await device.expect("^end of main.py$")
    assert device.lines[1:3] == [f"ü {b'ber den Draht' + bytes([10])!r}", r"b'noch eine\n'"]


async def test_an_exception_prints_its_traceback_on_the_console(device: Device, load) -> None:
    load(
        """
        import sys
        try:
            raise ValueError("caught")
        except ValueError as error:
            sys.print_exception(error)
        raise KeyError("not caught")
        """
    )
    (device.files / "boot.py").write_text("import nothing_of_the_kind\n")
    await device.power_on()
    await device.expect("ImportError|ModuleNotFoundError")
    await device.expect("^ValueError: caught$")
    await device.expect("^KeyError: '?not caught'?$")
    await device.ended()
    assert device.powered and not device.running


async def test_modules_come_from_the_flash(device: Device, run) -> None:
    (device.files / "lib" / "package").mkdir(parents=True)
    (device.files / "lib" / "package" / "__init__.py").write_text("from .inner import VALUE\n")
    (device.files / "lib" / "package" / "inner.py").write_text("VALUE = 4\n")
    (device.files / "boot.py").write_text("from_boot = 3\n")
    assert await run("import package\nprint(package.VALUE, from_boot)") == ["4 3"]
    assert {path.name for path in device.files.rglob("*")} == {
        "boot.py", "main.py", "lib", "package", "__init__.py", "inner.py",
    }  # fmt: skip
    assert device.chip.flash_writes == 0


async def test_json_is_written_in_utf_8(run) -> None:
    await run(
        """
        import io, json
        for text in ("\\u00fc", "\\u20ac", "\\U0001f600"):
            assert json.dumps({text: [text]}) == '{"' + text + '": ["' + text + '"]}'
            stream = io.StringIO()
            json.dump(text, stream)
            assert stream.getvalue() == '"' + text + '"'
            assert json.loads(json.dumps(text)) == text
        """
    )


async def test_gc_is_the_chips(run) -> None:
    await run(
        """
        import gc
        assert gc.collect() is None
        assert gc.threshold() == -1
        assert gc.threshold(4096) is None and gc.threshold() == 4096
        gc.threshold(4100)
        assert gc.threshold() == 4096  # whole blocks
        gc.threshold(-5)
        assert gc.threshold() == -1
        gc.disable()
        assert not gc.isenabled()
        gc.enable()
        assert gc.isenabled() and gc.mem_alloc() > 0
        """
    )
