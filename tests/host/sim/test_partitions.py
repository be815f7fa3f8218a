"""The partitions for applications of the simulated flash, and its bootloader, as ESP-IDF has them."""

from tools.sim import Device

BEGIN = """
        import esp32, machine, _partition
        from esp32 import Partition
        def label(what=Partition.RUNNING):
            return Partition(what).info()[4]
        def error(function, *arguments):
            try:
                function(*arguments)
            except OSError as error:
                print(error.errno, *error.args[1:])
        other = Partition(Partition.RUNNING).get_next_update()
        def install(image):
            padded = image + b"\\xff" * (-len(image) % 4096)
            other.writeblocks(0, padded)
"""


async def test_flash_is_erased_by_sectors_and_written_by_bits(run) -> None:
    lines = await run(
        BEGIN
        + """
        data = bytearray(4096)
        other.readblocks(3, data)
        assert data == b"\\xff" * 4096
        other.writeblocks(3, b"\\x0f" * 4096)
        other.writeblocks(3, b"\\xf5\\x33", 4095)  # across two
        other.readblocks(3, data)
        assert data == b"\\x0f" * 4095 + b"\\x05"
        other.readblocks(4, data)
        assert data == b"\\x33" + b"\\xff" * 4095
        other.ioctl(6, 3)
        other.readblocks(3, data)
        assert data == b"\\xff" * 4096
        print(other.ioctl(4, 0), other.ioctl(5, 0), other.info())
        error(other.writeblocks, 384, data)
        error(other.readblocks, 383, data, 1)
        error(other.writeblocks, 0, b"short")
        error(Partition, "none")
        print(label("vfs"), len(Partition.find()), Partition.find(Partition.TYPE_DATA, 2)[0].info()[4])
        """
    )
    assert lines == [
        "384 4096 (0, 17, 1638400, 1572864, 'ota_1', False)",
        *["-260 ESP_ERR_INVALID_SIZE"] * 3,
        "2 ENOENT",
        "vfs 2 nvs",
    ]


async def test_an_image_that_nobody_confirms_is_started_once(run) -> None:
    lines = await run(
        BEGIN
        + """
        print(label(), label(Partition.BOOT))
        if machine.reset_cause() == machine.PWRON_RESET:
            install(_partition.image(b"another" * 3000))
            other.set_boot()
            print(label(), label(Partition.BOOT))
            machine.soft_reset()
        if machine.reset_cause() == machine.SOFT_RESET or label() == "ota_1":
            machine.reset()
        error(Partition.mark_app_valid_cancel_rollback)
        """
    )
    assert lines == ["ota_0 ota_0", "ota_0 ota_1", "ota_0 ota_1", "ota_1 ota_1", "ota_0 ota_0"]


async def test_one_that_is_confirmed_stays(run) -> None:
    lines = await run(
        BEGIN
        + """
        if machine.reset_cause() == machine.PWRON_RESET:
            install(_partition.image(b"another"))
            other.set_boot()
            machine.reset()
        print(label(), label(Partition.BOOT))
        esp32.NVS("test").set_i32("starts", 1)
        Partition.mark_app_valid_cancel_rollback()
        starts = machine.RTC().memory()
        machine.RTC().memory(starts + b"1")
        if len(starts) < 2:
            machine.reset()
        """
    )
    assert lines == ["ota_1 ota_1"] * 3


async def test_what_is_no_whole_image_of_this_chip_is_not_to_be_started(run) -> None:
    lines = await run(
        BEGIN
        + """
        image = _partition.image(b"another" * 100)
        error(other.set_boot)
        for wrong in (b"\\x7f" + image[1:], image[:-1] + b"!", image[:50] + b"!" + image[51:],
                      image[:-33] + b"!" + image[-32:], _partition.image(b"another", 9)):
            install(wrong)
            error(other.set_boot)
        error(Partition("nvs").set_boot)
        install(image)
        other.set_boot()
        print(label(Partition.BOOT))
        """
    )
    assert lines == ["-5379 ESP_ERR_OTA_VALIDATE_FAILED"] * 6 + ["-258 ESP_ERR_INVALID_ARG", "ota_1"]


async def test_an_image_that_is_damaged_later_leaves_the_other(run, device: Device) -> None:
    program = """
        print(label())
        if machine.reset_cause() == machine.PWRON_RESET:
            install(_partition.image(b"another"))
            other.set_boot()
            machine.reset()
        Partition.mark_app_valid_cancel_rollback()
        """
    assert await run(BEGIN + program) == ["ota_0", "ota_1"]
    file = device.folder / "ota_1.bin"
    file.write_bytes(bytes(100) + file.read_bytes()[100:])
    assert await run(BEGIN + "        print(label())\n") == ["ota_0"]


async def test_a_board_with_one_slot(run, device: Device) -> None:
    device.chip.slots = 1
    lines = await run(
        """
        from esp32 import Partition
        own = Partition(Partition.RUNNING)
        print(own.info()[4], len(Partition.find()))
        for call in (own.get_next_update, Partition.mark_app_valid_cancel_rollback):
            try:
                call()
            except OSError as error:
                print(error.errno)
        """
    )
    assert lines == ["factory 1", "2", "-261"]
