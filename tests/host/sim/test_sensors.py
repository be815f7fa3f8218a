"""Sensors and buses of the simulated chip: what is wired in the world is what a program reads."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tools.sim import Device
from tools.sim.pictures import picture
from tools.sim.wiring import Wiring, WiringError


def wire(device: Device, **values: object) -> None:
    for name, value in values.items():
        device.chip.peripherals.wiring.set(name.replace("__", "."), value)


async def test_an_adc_measures_what_is_wired(device: Device, run) -> None:
    wire(device, adc__34=[1.65, 3.6], adc__35=0.55)
    lines = await run(
        """
        from machine import ADC, ADCBlock, Pin
        adc = ADC(Pin(34), atten=ADC.ATTN_11DB)
        print(adc.read_uv(), adc.read())
        low = ADC(35)
        low.width(ADC.WIDTH_10BIT)
        print(low.read(), low.read_u16(), low.read_uv())
        adc.width(12)
        print(ADCBlock(1, bits=12).connect(0, Pin(4)).read(), ADC(33).read())
        other = ADCBlock(1, bits=12)
        wrong = lambda: other.connect(1, Pin(4))
        for bad in (lambda: ADC(5), lambda: adc.atten(4), lambda: adc.width(13), wrong):
            try:
                bad()
            except ValueError as error:
                print(error)
        """
    )
    assert lines == [
        "1650000 3777",
        "512 32800 550000",
        "0 0",
        "invalid pin",
        "invalid atten",
        "invalid bits",
        "no matching ADC",
    ]


async def test_wifi_has_the_second_converter_while_it_is_on(device: Device, run) -> None:
    wire(device, adc__4=1.0, adc__34=1.0)
    lines = await run(
        """
        import errno, network
        from machine import ADC
        wlan = network.WLAN(network.STA_IF)
        print(ADC(4).read() > 0)
        wlan.active(True)
        try:
            ADC(4).read()
        except OSError as error:
            print(error.errno == errno.ETIMEDOUT, ADC(34).read() > 0)
        """
    )
    assert lines == ["True", "True True"]


async def test_pwm_is_seen_from_outside(device: Device, run) -> None:
    lines = await run(
        """
        from machine import PWM, Pin
        pwm = PWM(Pin(2), freq=1000, duty_u16=32768)
        print(pwm.freq(), pwm.duty_u16(), pwm.duty(), pwm.duty_ns())
        pwm.duty(1023)
        print(pwm.duty_u16())
        PWM(Pin(4))
        off = PWM(Pin(5), freq=50, duty_ns=1500000)
        off.deinit()
        for bad in (
            off.freq,
            lambda: pwm.duty_u16(65536),
            lambda: pwm.freq(0),
            lambda: pwm.duty(1024),
            lambda: PWM(Pin(34)),
            lambda: pwm.init(duty=1, duty_ns=1),
        ):
            try:
                bad()
            except (RuntimeError, ValueError) as error:
                print(error)
        try:
            for number, pin in enumerate((12, 13, 14, 15, 16, 17, 18)):
                PWM(Pin(pin), freq=100 + number)
        except ValueError as error:
            print(error)
        """
    )
    assert lines == [
        "1000 32768 512 500007",
        "65535",
        "PWM inactive",
        "duty_u16 must be from 0 to 65535",
        "frequency must be from 1Hz to 40MHz",
        "duty must be from 0 to 1023",
        "PWM not supported on Pin(34)",
        "only one of parameters 'duty', 'duty_u16' or 'duty_ns' is allowed",
        "out of PWM timers:8",
    ]
    pwm = device.chip.peripherals.pwm
    assert pwm[2] == (1000, 65535) and pwm[4] == (5000, 32768) and 5 not in pwm


async def test_i2c_answers_from_a_register_map(device: Device, run, tmp_path: Path) -> None:
    file = tmp_path / "sensors.json"
    file.write_text(
        json.dumps(
            {"i2c": {"0x76": {"0xD0": "60", "0xf7": "800001"}, "0x23": "0d2a", "0x50": {"0x0100": "abcd"}}}
        )
    )
    device.chip.peripherals.wiring.load(file)
    lines = await run(
        """
        import errno
        from machine import I2C, Pin, SoftI2C
        for i2c in (I2C(0, scl=Pin(22), sda=Pin(21)), SoftI2C(scl=Pin(22), sda=Pin(21))):
            print([hex(address) for address in i2c.scan()])
            print(i2c.readfrom_mem(0x76, 0xD0, 1), i2c.readfrom_mem(0x76, 0xF7, 4))
            i2c.writeto_mem(0x76, 0xF4, b"\\x2b\\x01")
            buf = bytearray(2)
            i2c.readfrom_mem_into(0x76, 0xF4, buf)
            print(buf, i2c.readfrom(0x23, 2), i2c.readfrom_mem(0x50, 0x101, 1, addrsize=16))
            print(i2c.writevto(0x76, (b"\\xf5", b"\\x09\\x08")), i2c.writeto(0x76, b"\\xf5"), end=" ")
            print(i2c.readfrom(0x76, 2))
            for call in (
                lambda: i2c.readfrom(0x77, 1),
                lambda: i2c.writeto(0x10, b"1"),
                lambda: i2c.readfrom_mem(0x10, 0, 1),
            ):
                try:
                    call()
                except OSError as error:
                    print(error.errno == errno.ENODEV)
        i2c.start()
        print(i2c.write(b"\\xec\\xd0"), end=" ")
        i2c.start()
        print(i2c.write(b"\\xed"), end=" ")
        buf = bytearray(1)
        i2c.readinto(buf)
        i2c.stop()
        i2c.start()
        print(buf, i2c.write(b"\\xee\\x01"))
        for call in (
            lambda: I2C(2),
            lambda: I2C(0, scl=Pin(22), sda=24),
            I2C(1).stop,
            lambda: i2c.readfrom_mem(0x76, 0, 1, addrsize=12),
        ):
            try:
                call()
            except (OSError, ValueError) as error:
                print(error)
        """
    )
    once = [
        "['0x23', '0x50', '0x76']",
        r"b'`' b'\x80\x00\x01\xff'",
        r"bytearray(b'+\x01') b'\r*' b'\xcd'",
        r"3 1 b'\t\x08'",
        *["True"] * 3,
    ]
    assert lines == [
        *once,
        *once,
        "2 1 bytearray(b'`') 0",
        "I2C(2) doesn't exist",
        "invalid pin",
        "I2C operation not supported",
        "invalid addrsize",
    ]


async def test_spi_answers_whose_chip_select_is_low(device: Device, run) -> None:
    wire(device, spi__5__9f="ef4016", spi__15__00="aa")
    lines = await run(
        """
        from machine import SPI, Pin, SoftSPI
        spi = SPI(1, baudrate=1000000, sck=Pin(14), mosi=Pin(13), miso=Pin(12))
        select = Pin(5, Pin.OUT, value=1)
        print(spi.read(2))
        for bus in (spi, SoftSPI(sck=Pin(18), mosi=Pin(23), miso=Pin(19))):
            select.off()
            bus.write(b"\\x9f")
            print(bus.read(4))
            select.on()
            select.off()
            buf = bytearray(3)
            bus.write_readinto(b"\\x9f\\x00\\x00", buf)
            print(buf)
            select.on()
        spi.deinit()
        for bad in (lambda: spi.read(1), lambda: SPI(3), lambda: bus.write_readinto(b"1", buf)):
            try:
                bad()
            except (OSError, ValueError) as error:
                print(error)
        """
    )
    once = [r"b'\xef@\x16\xff'", r"bytearray(b'\xff\xef@')"]
    assert lines == [
        r"b'\xff\xff'",
        *once,
        *once,
        "transfer on deinitialized SPI",
        "SPI(3) doesn't exist",
        "buffers must be the same length",
    ]


async def test_a_bus_of_thermometers(device: Device, run) -> None:
    wire(
        device,
        ds18b20__5__28ff641e8216c3=21.5,
        ds18b20__5__280000000000ff=-10.0625,
        ds18b20__5__28ff641e8216c2=85,
    )
    lines = await run(
        """
        import ds18x20, onewire
        from machine import Pin
        bus = onewire.OneWire(Pin(5))
        sensors = ds18x20.DS18X20(bus)
        roms = sorted(bytes(rom) for rom in sensors.scan())
        print([rom[6] for rom in roms], [bus.crc8(rom) for rom in roms])
        print([sensors.read_temp(rom) for rom in roms])
        sensors.convert_temp()
        print([sensors.read_temp(rom) for rom in roms])
        sensors.write_scratch(roms[0], b"\\0\\0\\x1f")
        sensors.convert_temp()
        print(sensors.read_temp(roms[0]))
        other = onewire.OneWire(Pin(4))
        print(other.scan(), other.reset())
        try:
            ds18x20.DS18X20(other).convert_temp()
        except onewire.OneWireError:
            print("nobody")
        """
    )
    assert lines == [
        "[255, 194, 195] [0, 0, 0]",
        "[85.0, 85.0, 85.0]",
        "[-10.0625, 85.0, 21.5]",
        "-10.5",
        "[] False",
        "nobody",
    ]


async def test_dht_sensors(device: Device, run) -> None:
    wire(device, dht__4__temperature=[-5.2, 21.0], dht__4__humidity=40.5)
    wire(device, dht__15__type=11, dht__15__temperature=21.6, dht__15__humidity=40)
    lines = await run(
        """
        import dht, errno, time
        from machine import Pin
        sensor = dht.DHT22(Pin(4))
        start = time.ticks_ms()
        sensor.measure()
        took_ms = time.ticks_diff(time.ticks_ms(), start)
        print(round(sensor.temperature(), 1), round(sensor.humidity(), 1), took_ms >= 268)
        sensor.measure()
        print(round(sensor.temperature(), 1))
        old = dht.DHT11(Pin(15))
        old.measure()
        print(old.temperature(), old.humidity())
        try:
            dht.DHT22(Pin(16)).measure()
        except OSError as error:
            print(error.errno == errno.ETIMEDOUT)
        """
    )
    assert lines == ["-5.2 40.5 True", "21.0", "22 40", "True"]


async def test_neopixels_touch_and_the_chips_own_thermometer(device: Device, run) -> None:
    wire(device, touch__4=210, temperature=60)
    lines = await run(
        """
        import esp32, neopixel
        from machine import Pin, TouchPad
        lights = neopixel.NeoPixel(Pin(13), 3)
        lights.fill((1, 2, 3))
        lights[0] = (255, 0, 16)
        lights.write()
        print(len(lights), lights[0], lights[2])
        touch = TouchPad(Pin(4))
        touch.config(500)
        print(touch.read(), TouchPad(Pin(2)).read(), end=" ")
        print(esp32.raw_temperature(), hasattr(esp32, "mcu_temperature"))
        try:
            TouchPad(Pin(5))
        except ValueError as error:
            print(error)
        """
    )
    assert lines == ["3 (255, 0, 16) (1, 2, 3)", "210 1000 140 False", "invalid pin for touchpad"]
    assert device.chip.peripherals.lights == {13: bytes((0, 255, 16, 2, 1, 3, 2, 1, 3))}


async def test_a_chip_without_bluetooth_is_another_with_another_thermometer(device: Device, run) -> None:
    device.chip.has_bluetooth = False
    wire(device, temperature=41.5)
    assert await run(
        """
        import esp32
        print(esp32.mcu_temperature(), hasattr(esp32, "raw_temperature"))
        """
    ) == ["42 False"]


async def test_a_uart_is_a_stream(device: Device, run) -> None:
    wire(device, uart__1="$GPRMC,1\r\n$GPRMC,2\r\nrest", uart__2=["tick\r\n"])
    lines = await run(
        """
        import asyncio
        from machine import UART, Pin
        uart = UART(1, baudrate=9600, tx=Pin(17), rx=Pin(16), timeout=5000)
        print(uart.readline(), uart.any(), uart.read(4), uart.readline())
        buf = bytearray(4)
        print(uart.readinto(buf), buf, uart.any())
        UART(1, timeout=0)
        print(uart.write("AT\\r\\n"), UART(1, timeout=0).read())
        async def main():
            stream = asyncio.StreamReader(UART(2))
            for _ in range(2):
                print(await asyncio.wait_for(stream.readline(), 20), end=" ")
            print()
        asyncio.run(main())
        for bad in (lambda: UART(3), lambda: UART(1, bits=9), lambda: UART(1, stop=3)):
            try:
                bad()
            except ValueError as error:
                print(error)
        """
    )
    assert lines == [
        r"b'$GPRMC,1\r\n' 14 b'$GPR' b'MC,2\r\n'",
        "4 bytearray(b'rest') 0",
        "4 None",
        r"b'tick\r\n' b'tick\r\n' ",
        "UART(3) does not exist",
        "invalid data bits",
        "invalid stop bits",
    ]
    assert device.chip.peripherals.sent[1] == b"AT\r\n"


async def test_a_camera_sees_a_folder_s_pictures_in_turn_or_one_of_any_size(
    device: Device, run, tmp_path: Path
) -> None:
    code = """
        from camera import Camera, FrameSize, PixelFormat
        seen = Camera(pixel_format=PixelFormat.JPEG, frame_size=FrameSize.UXGA, jpeg_quality=85)
        for _ in range(3):
            frame = seen.capture()
            ends = bytes(frame[:2]) + bytes(frame[len(frame) - 2 :])
            print(len(frame), ends.hex(), len(frame[0:4096]))
        seen.deinit()
        try:
            seen.capture()
        except OSError as error:
            print(error)
        """
    wire(device, camera=100_003)
    lines = await run(code)
    assert lines == ["100003 ffd8ffd9 4096"] * 3 + ["Camera not initialized"]
    with Image.open(io.BytesIO(device.chip.peripherals._picture)) as drawn:
        drawn.load()
        assert drawn.format == "JPEG"
    for size in (20_000, 65_600, 140_000, 140_001, 2_000_000):
        assert len(picture(size, 1)) == size
        Image.open(io.BytesIO(picture(size, 1))).load()
    for name in ("b.jpg", "a.png", "c.txt"):
        (tmp_path / name).write_bytes(name.encode())
    assert [picture(str(tmp_path), number) for number in (1, 2, 3)] == [b"a.png", b"b.jpg", b"a.png"]
    (tmp_path / "none").mkdir()
    assert picture(str(tmp_path / "none"), 1) == b""


async def test_timers_call_back_while_the_program_waits(device: Device, run) -> None:
    lines = await run(
        """
        import asyncio, time
        from machine import Timer
        seen = []
        def first(timer):
            seen.append(timer)
        timer = Timer(0)
        timer.init(mode=Timer.ONE_SHOT, period=20, callback=first)
        deadline = time.ticks_add(time.ticks_ms(), 20000)
        while not seen and time.ticks_diff(deadline, time.ticks_ms()) > 0:
            time.sleep_ms(50)
        print(seen == [timer], Timer(0) is timer)
        time.sleep_ms(100)
        print(len(seen))
        async def main():
            count = []
            flag = asyncio.ThreadSafeFlag()
            def tick(_):
                count.append(1)
                if len(count) == 3:
                    flag.set()
            periodic = Timer(1, period=10, mode=Timer.PERIODIC, callback=tick)
            await asyncio.wait_for(flag.wait(), 20)
            periodic.deinit()
            await asyncio.sleep(0.1)
            before = len(count)
            await asyncio.sleep(0.2)
            print(before >= 3, len(count) == before)
        asyncio.run(main())
        for bad in (lambda: Timer(4), lambda: Timer(-1), lambda: timer.init(period=0)):
            try:
                bad()
            except ValueError as error:
                print(error)
        """
    )
    assert lines == [
        "True True",
        "1",
        "True True",
        "invalid Timer number",
        "invalid Timer number",
        "Timer period is too short for this timer",
    ]


async def test_an_edge_of_what_is_wired_interrupts(device: Device, load) -> None:
    load(
        """
        import asyncio
        from machine import Pin
        async def main():
            flag = asyncio.ThreadSafeFlag()
            button = Pin(15, Pin.IN, Pin.PULL_UP)
            button.irq(lambda pin: flag.set(), Pin.IRQ_FALLING)
            print("level", button.value())
            await asyncio.wait_for(flag.wait(), 30)
            print("now", button.value())
        asyncio.run(main())
        """
    )
    await device.power_on()
    await device.expect("^level 1$")
    wire(device, pin__15=0)
    await device.expect("^now 0$")


async def test_what_happens_at_the_pins_is_told(device: Device, run) -> None:
    told: list[tuple[str, str]] = []
    device.chip.peripherals.on_io = lambda name, text: told.append((name, text))
    wire(device, adc__34=1.65)
    await run(
        """
        from machine import ADC, PWM, Pin
        led = Pin(2, Pin.OUT, value=0)
        led.value(0)
        led.toggle()
        PWM(Pin(4), freq=50, duty_u16=65535)
        for _ in range(3):
            ADC(34).read()
        """
    )
    assert told == [
        ("adc.34", "set to 1.65"),
        ("pin.2", "0"),
        ("pin.2", "1"),
        ("pwm.4", "50 Hz, 100.0%"),
        ("adc.34", "1.65 V"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("adc.5", 1, "adc.5: nothing can be wired there; the places are adc"),
        ("adc.34", 5, "adc.34: 0 to 3.6 V"),
        ("adc.34", "warm", "adc.34: a number, or a list of numbers"),
        ("adc.34", [], "adc.34: a list of 1 to 10000"),
        ("adc.34", True, "adc.34: a number"),
        ("pin.15", 0.5, "pin.15: a whole number"),
        ("dht.4.type", 33, "dht.4.type: 11 or 22"),
        ("ds18b20.5.10ff641e8216c3", 20, "ds18b20.5.10ff641e8216c3: nothing can be wired there"),
        ("i2c.0x76.0xd0", "6", 'i2c.0x76.0xd0: bytes in hex, as "0d2a"'),
        ("i2c.0x90", "60", "i2c.0x90: nothing can be wired there"),
        ("uart.1", 5, "uart.1: a text of 4096 bytes at most, or a list of such"),
        ("temperature", float("nan"), "temperature: -40 to 125 degrees Celsius"),
        ("camera", 9 << 20, "camera: 16384 to 8388608 bytes, or a folder with pictures that is there"),
    ],
)
def test_what_cannot_be_wired_is_named(name: str, value: object, complaint: str, tmp_path: Path) -> None:
    wiring = Wiring()
    with pytest.raises(WiringError) as raised:
        wiring.set(name, value)
    assert str(raised.value).startswith(complaint)
    file = tmp_path / "sensors.json"
    nested: object = value
    for part in reversed(name.split(".")):
        nested = {part: nested}
    file.write_text(json.dumps({"touch": {"4": 1}} | dict(nested)))  # type: ignore[call-overload]
    with pytest.raises(WiringError) as raised:
        wiring.load(file)
    assert str(raised.value).startswith(f"{file}: {complaint}")
    assert wiring.get("touch.4") is None, "half applied"


def test_a_sensor_is_taken_away() -> None:
    wiring = Wiring()
    wiring.set("dht.4.temperature", "[20, 21]")
    wiring.set("dht.4.humidity", 40)
    wiring.set("dht.15.humidity", 40)
    assert [wiring.read("dht.4.temperature") for _ in range(3)] == [20, 21, 20]
    wiring.set("dht.4", None)
    assert wiring.get("dht.4.temperature") is None and wiring.get("dht.15.humidity") == 40
