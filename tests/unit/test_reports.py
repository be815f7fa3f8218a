"""What the cloud is told of a device beside its telemetry."""

import asyncio

from fakes import FakeChip, FakeLog, FakeMachine, FakeNVS
from iot.aws.reports import Reports


class FakeReceipt:
    def __init__(self, done):
        self._done = done

    async def wait(self, timeout_ms):
        return self._done


class FakeClient:
    def __init__(self):
        self.connected = True
        self.acknowledges = True
        self.sent = []

    def publish(self, topic, payload, qos=0):
        self.sent.append((topic, payload))
        return FakeReceipt(self.acknowledges)


class FakeWifi:
    def rssi(self):
        return -61


class FakeSettings:
    VERSION = "1.2.3"


class FakeSystem:
    settings = FakeSettings
    held_ms = 17

    def __init__(self):
        self.log = FakeLog()
        self.nvs = FakeNVS()
        self.wifi = FakeWifi()
        self.counts = {"lost": 2, "dropped": 1}


class Device:
    """Reports on a device whose seconds pass when told."""

    def __init__(self, **wants):
        self.client, self.system = FakeClient(), FakeSystem()
        self.reports = Reports(wants, "lamp", self.client, self.system)

    async def seconds(self, number):
        import iot.aws.reports as module

        sleep_ms, left = asyncio.sleep_ms, [number]

        async def short(ms):
            if not left[0]:
                raise asyncio.CancelledError
            left[0] -= 1
            await sleep_ms(0)

        class Fast:
            sleep_ms = staticmethod(short)

        module.asyncio = Fast
        try:
            with FakeChip():
                await self.reports.run()
        except asyncio.CancelledError:
            pass
        finally:
            module.asyncio = asyncio

    def sent(self, topic):
        return [payload for name, payload in self.client.sent if name == topic]


async def test_nothing_wanted_nothing_told():
    device = Device()
    await device.seconds(700)
    assert device.client.sent == []


async def test_the_package_once():
    device = Device(package="lamp-firmware")
    await device.seconds(3)
    topic = "$aws/things/lamp/shadow/name/$package/update"
    assert device.client.sent == [(topic, {"state": {"reported": {"lamp-firmware": {"version": "1.2.3"}}}})]


async def test_metrics_no_more_often_than_the_service_takes():
    device = Device(metrics_s=60)
    await device.seconds(601)
    reports = device.sent("$aws/things/lamp/defender/metrics/json")
    assert len(reports) == 3
    metrics = reports[0]["custom_metrics"]
    assert all(
        list(value[0]) == ["number"] and isinstance(value[0]["number"], int) for value in metrics.values()
    )
    assert metrics["dropped"] == [{"number": 3}] and metrics["rssi"] == [{"number": -61}]
    assert metrics["connected_percent"] == [{"number": 100}] and metrics["loop_held_ms"] == [{"number": 17}]
    assert reports[1]["custom_metrics"]["loop_held_ms"] == [{"number": 0}]


async def test_hours_without_a_crash():
    device = Device(metrics_s=300)
    await device.seconds(7300)
    assert device.sent("$aws/things/lamp/defender/metrics/json")[-1]["custom_metrics"]["crash_free_h"] == [
        {"number": 2}
    ]


async def test_away_and_back():
    device = Device(metrics_s=300)
    await device.seconds(10)
    device.client.connected = False
    await device.seconds(10)
    device.client.connected = True
    await device.seconds(301)
    told = device.sent("$aws/things/lamp/defender/metrics/json")[-1]["custom_metrics"]
    assert 90 <= told["connected_percent"][0]["number"] < 100


async def test_a_crash_is_told_once_and_forgotten_when_the_cloud_has_it():
    with FakeMachine():
        from iot import deaths

        try:
            raise ValueError("pear")
        except ValueError as error:
            import machine
            from iot.storage import rtc

            rtc.set("setup", 1)
            rtc.crash(deaths._crash("cloud died", error, 61000))
            assert rtc.get("setup") == 1
        device = Device(crash=True)
        device.client.acknowledges = False
        await device.seconds(2)
        device.client.acknowledges = True
        await device.seconds(5)
        told = device.sent("telemetry/lamp/crash")
        assert len(told) == 3, told
        assert told[-1]["type"] == "ValueError" and told[-1]["message"] == "pear"
        assert told[-1]["uptime_s"] == 61 and "pear" in told[-1]["traceback"]
        assert deaths.last() is None and rtc.get("setup") == 1
        assert machine.RTC().memory()


async def test_a_crash_that_is_noise():
    with FakeMachine():
        from iot import deaths
        from iot.storage import rtc

        rtc.crash(b"\xff{")
        assert deaths.last() is None
