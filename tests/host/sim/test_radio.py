"""The Wi-Fi station as the ESP32's driver is, seen from the device."""

import pytest

from tools.sim import Device, World
from tools.sim.radio import AUTH_WEP, AUTH_WPA2_ENTERPRISE, AUTH_WPA3_PSK, AccessPoint

CONNECT = """
    import network, time
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    def wait(condition):
        while not condition():
            time.sleep_ms(10)
    def error(function, *arguments):
        try:
            function(*arguments)
        except OSError as error:
            print(error)
"""


async def test_connect_and_disconnect(world: World, run) -> None:
    world.air.join_ms = 1000  # so that it still joins when a slow chip asks for a scan
    lines = await run(
        CONNECT
        + """
    assert wlan.active() and not wlan.isconnected() and wlan.status() == network.STAT_IDLE
    assert wlan.ifconfig()[0] == "0.0.0.0"
    error(wlan.status, "rssi")
    wlan.connect("Home", "correct horse")
    assert wlan.status() == network.STAT_CONNECTING
    error(wlan.connect, "Home", "correct horse")
    print(wlan.scan())
    wait(wlan.isconnected)
    assert wlan.status() == network.STAT_GOT_IP and wlan.status("rssi") == -55
    assert wlan.ifconfig()[0] == wlan.ipconfig("addr4")[0] != "0.0.0.0"
    error(wlan.connect, "Open")
    wlan.disconnect()
    assert not wlan.isconnected() and wlan.status() == network.STAT_IDLE
    wlan.connect("Open")
    wait(wlan.isconnected)
    wlan.active(False)
    assert not wlan.active() and not wlan.isconnected()
    error(wlan.connect, "Open")
    error(wlan.disconnect)
    """
    )
    assert lines == [
        "Wifi Not Connected",
        "Wifi Internal Error",
        "[]",  # while it connects there is no scanning, and no error
        "Wifi Internal Error",
        "Wifi Not Started",
        "Wifi Not Started",
    ]


async def test_a_wrong_password_mostly_looks_like_connecting(run) -> None:
    lines = await run(
        CONNECT
        + """
    wlan.connect("Home", "wrong horse")
    seen = set()
    wait(lambda: seen.add(wlan.status()) or network.STAT_WRONG_PASSWORD in seen)
    print(sorted(seen), wlan.isconnected())
    wlan.disconnect()
    wlan.connect("Home", "correct horse")
    wait(wlan.isconnected)
    """
    )
    assert lines == ["[202, 1001] False"]


async def test_status_is_stale_after_a_new_connect(run) -> None:
    await run(
        CONNECT
        + """
    wlan.connect("Elsewhere", "secret")
    wait(lambda: wlan.status() == network.STAT_NO_AP_FOUND)
    wlan.active(False)
    wlan.active(True)
    wlan.connect("Elsewhere", "secret")
    wait(lambda: wlan.status() == network.STAT_NO_AP_FOUND)
    error(wlan.connect, "Home", "correct horse")  # it still tries, for ever
    wlan.disconnect()
    wlan.connect("Home", "correct horse")
    assert wlan.status() == network.STAT_IDLE and not wlan.isconnected()  # of the disconnect
    wait(wlan.isconnected)
    """
    )


async def test_with_reconnects_0_it_gives_up(run) -> None:
    await run(
        CONNECT
        + """
    assert wlan.config("reconnects") == -1
    wlan.config(reconnects=0)
    assert wlan.config("reconnects") == 0
    wlan.connect("Elsewhere", "secret")
    wait(lambda: wlan.status() == network.STAT_NO_AP_FOUND)
    time.sleep_ms(50)
    wlan.connect("Home", "correct horse")  # it has stopped, so it may be told to connect
    assert wlan.status() == network.STAT_NO_AP_FOUND
    wait(wlan.isconnected)
    """
    )


async def test_scan_and_config(run) -> None:
    lines = await run(
        """
        import network
        wlan = network.WLAN()
        try:
            wlan.scan()
        except OSError as error:
            print(error)
        wlan.active(True)
        for name, bssid, channel, rssi, authmode, hidden in wlan.scan():
            print(name, len(bssid), channel, rssi, authmode, hidden)
        network.hostname("lamp")
        assert wlan.config("hostname") == "lamp" and len(wlan.config("mac")) == 6
        for wrong in (lambda: wlan.config("nonsense"), lambda: wlan.config(x=1), lambda: network.WLAN(7)):
            try:
                wrong()
                assert False
            except ValueError:
                pass
        """
    )
    assert lines == ["STA must be active", "b'Home' 6 1 -55 3 False", "b'Open' 6 1 -55 0 False"]


async def test_a_scan_tells_every_access_point_apart(world: World, run) -> None:
    world.air.others = [
        AccessPoint("Twice", "one key", -80, 6, "02:00:00:00:00:06"),
        AccessPoint("Twice", "one key", -40, 11, "02:00:00:00:00:0b", AUTH_WPA3_PSK),
        AccessPoint("Shy", "hidden key", -60, 3, "02:00:00:00:00:03", hidden=True),
    ]
    lines = await run(
        CONNECT
        + """
    for name, bssid, channel, rssi, authmode, hidden in wlan.scan():
        print(name, bssid[5], channel, rssi, authmode, hidden)
    for name, key in (("Twice", "one key"), ("Shy", "hidden key")):
        wlan.connect(name, key)
        wait(wlan.isconnected)
        print(name, wlan.status("rssi"), len(wlan.scan()))
        wlan.disconnect()
    """
    )
    assert lines == [
        "b'Twice' 11 11 -40 6 False",
        "b'Home' 1 1 -55 3 False",
        "b'Open' 1 1 -55 0 False",
        "b'' 3 3 -60 3 False",
        "b'Twice' 6 6 -80 3 False",
        *("Twice -80 5", "Shy -60 5"),  # the first that it hears is on the lower channel
    ]


async def test_of_one_name_the_first_heard_is_taken_unless_another_is_named(world: World, run) -> None:
    world.air.others = [
        AccessPoint("Twice", "one key", -40, 11, "02:00:00:00:00:0b"),
        AccessPoint("Twice", "one key", -80, 6, "02:00:00:00:00:06"),
    ]
    lines = await run(
        CONNECT
        + """
    for bssid in (None, bytes([2, 0, 0, 0, 0, 11]), bytes([2, 0, 0, 0, 0, 6])):
        wlan.connect("Twice", "one key", bssid=bssid)
        wait(wlan.isconnected)
        print(wlan.status("rssi"))
        wlan.disconnect()
    wlan.connect("Twice", "one key", bssid=bytes([2, 0, 0, 0, 0, 1]))
    wait(lambda: wlan.status() == network.STAT_NO_AP_FOUND)
    try:
        wlan.connect("Twice", "one key", bssid=b"short")
    except ValueError:
        print("refused")
    """
    )
    assert lines == ["-80", "-40", "-80", "refused"]


async def test_on_one_channel_it_is_not_the_strongest_that_counts(world: World, run) -> None:
    world.air.others = [
        AccessPoint("Twice", "one key", -80, 6, "02:00:00:00:00:01"),
        AccessPoint("Twice", "another key", -40, 6, "02:00:00:00:00:02"),
    ]
    lines = await run(
        CONNECT
        + """
    wlan.connect("Twice", "one key")
    wait(wlan.isconnected)
    print(wlan.status("rssi"), wlan.scan()[0][3])
    """
    )
    assert lines == ["-80 -40"]


async def test_a_name_or_key_that_is_too_long_is_cut_without_a_word(world: World, run) -> None:
    world.access_points["n" * 32] = "k" * 64
    await run(
        CONNECT
        + """
    wlan.connect("n" * 33, "k" * 65)
    wait(wlan.isconnected)
    """
    )


async def test_an_address_comes_some_time_after_the_association(world: World, run) -> None:
    world.air.address_ms = 400
    lines = await run(
        CONNECT
        + """
    def is_joined():
        try:
            return wlan.status("rssi")
        except OSError:
            return 0
    wlan.connect("Home", "correct horse")
    wait(is_joined)
    start = time.ticks_ms()
    print(wlan.isconnected(), wlan.status(), wlan.ifconfig()[0])
    wait(wlan.isconnected)
    print(time.ticks_diff(time.ticks_ms(), start) > 300, wlan.ifconfig()[0])
    """
    )
    assert lines == ["False 1001 0.0.0.0", "True 192.168.4.20"]


async def test_a_static_address_leads_on_where_it_fits(world: World, run) -> None:
    world.air.no_address.add("Home")
    lines = await run(
        CONNECT
        + """
    import socket
    def resolve():
        try:
            socket.getaddrinfo("127.0.0.1", 80)
            print("resolved")
        except OSError as exception:
            print(exception.errno)
    assert wlan.ipconfig("dhcp4") and wlan.ifconfig()[0] == "0.0.0.0"
    for config in (
        ("192.168.4.7", "255.255.255.0", "192.168.4.1", "1.1.1.1"),
        ("10.0.0.7", "255.0.0.0", "10.0.0.1", "10.0.0.1"),
    ):
        wlan.ifconfig(config)
        assert wlan.ifconfig() == config and not wlan.ipconfig("dhcp4")
        wlan.connect("Home", "correct horse")
        wait(wlan.isconnected)
        resolve()
        wlan.disconnect()
    wlan.ipconfig(dhcp4=True)
    assert wlan.ipconfig("dhcp4") and wlan.ifconfig()[0] == "0.0.0.0"
    for wrong in (("1.2.3", "255.0.0.0", "1.2.3.4", "1.2.3.4"), ("1.2.3.4",), "static"):
        try:
            wlan.ifconfig(wrong)
            print("taken", wrong)
        except ValueError:
            pass
    try:
        wlan.ifconfig("dhcp")
    except RuntimeError as exception:
        print(exception)
    """
    )
    assert lines == ["resolved", "-202", "Wifi Unknown Error 0x5004"]


async def test_a_scan_in_a_thread_does_not_hold_the_others(world: World, run) -> None:
    world.air.scan_ms = 1000
    lines = await run(
        CONNECT
        + """
    import _thread
    found = []
    _thread.start_new_thread(lambda: found.append(len(wlan.scan())), ())
    calls = 0
    while not found:
        assert wlan.active()
        calls += 1
        time.sleep_ms(10)
    print(found, calls > 5)
    found.clear()
    _thread.start_new_thread(lambda: found.append(len(wlan.scan())), ())
    time.sleep_ms(100)
    wlan.connect("Home", "correct horse")  # which aborts the scan
    wait(lambda: found)
    print(found)
    """
    )
    assert lines == ["[2] True", "[0]"]


async def test_threads_may_ask_at_the_same_time(run) -> None:
    lines = await run(
        CONNECT
        + """
    import _thread, machine
    wrong, done = [], []
    def ask(number):
        pin = machine.Pin(number, machine.Pin.OUT)
        for n in range(100):
            pin.value(n % 2)
            if pin.value() != n % 2 or wlan.config("reconnects") != -1:
                wrong.append(number)
        done.append(number)
    for number in (4, 5):
        _thread.start_new_thread(ask, (number,))
    ask(2)
    wait(lambda: len(done) == 3)
    print(wrong)
    """
    )
    assert lines == ["[]"]


@pytest.mark.parametrize(
    ("name", "key", "status"),
    [
        ("Elsewhere", "secret", [201]),
        ("Home", "wrong", [15]),
        ("Home", "", [210]),
        ("Company", "secret", [210]),
        ("Open", "long enough", [211]),
        ("Old", "long enough", [211]),
    ],
)
async def test_when_no_attempts_are_left_the_reason_shows(world: World, run, name, key, status) -> None:
    world.air.others = [
        AccessPoint("Company", auth=AUTH_WPA2_ENTERPRISE),
        AccessPoint("Old", "long enough", auth=AUTH_WEP),
    ]
    lines = await run(
        CONNECT
        + f"""
    wlan.config(reconnects=2)
    wlan.connect({name!r}, {key!r})
    seen = []
    wait(lambda: seen.append(wlan.status()) or seen[-1] != network.STAT_CONNECTING)
    time.sleep_ms(300)
    print([wlan.status()], wlan.isconnected())
    wlan.connect("Home", "correct horse")  # it has stopped, so it may be told to connect
    wait(wlan.isconnected)
    """
    )
    assert lines == [f"{status} False"]


async def test_a_network_without_dhcp_is_joined_and_leads_nowhere(world: World, run) -> None:
    world.air.no_address.add("Home")
    lines = await run(
        CONNECT
        + """
    wlan.connect("Home", "correct horse")
    def is_joined():
        try:
            return wlan.status("rssi")
        except OSError:
            return 0
    wait(is_joined)
    time.sleep_ms(200)
    print(is_joined(), wlan.isconnected(), wlan.status(), wlan.ifconfig()[0])
    import socket
    try:
        socket.getaddrinfo("127.0.0.1", 80)
    except OSError as exception:
        print(exception.errno)
    """
    )
    assert lines == ["-55 False 1001 0.0.0.0", "-202"]


LOSS = (
    CONNECT
    + """
    wlan.config(reconnects=RECONNECTS)
    wlan.connect("Home", "correct horse")
    wait(wlan.isconnected)
    print("connected")
    wait(lambda: not wlan.isconnected())
    print("lost", wlan.status())
    wait(wlan.isconnected)
    print("connected again")
"""
)


async def test_a_lost_network_is_noticed_late_and_joined_again(device: Device, world: World, load) -> None:
    load(LOSS.replace("RECONNECTS", "-1"))
    await device.power_on()
    await device.expect("^connected$")
    world.wifi_lost(True)
    assert device.chip.station.connected  # the driver does not know it yet
    await device.expect("^lost (200|201|1001)$")
    world.wifi_lost(False)
    await device.expect("^connected again$")


async def test_a_short_loss_goes_unnoticed(device: Device, world: World, load) -> None:
    world.air.beacon_timeout_ms = 60_000
    load(LOSS.replace("RECONNECTS", "-1"))
    await device.power_on()
    await device.expect("^connected$")
    world.wifi_lost(True)
    world.wifi_lost(False)
    world.air.beacon_timeout_ms = 100
    world.wifi_lost(True)
    await device.expect("^lost")


async def test_a_soft_reset_leaves_wifi_alone(device: Device, load) -> None:
    load(
        CONNECT
        + """
    import machine
    print("cause", machine.reset_cause(), wlan.isconnected())
    if machine.reset_cause() != machine.HARD_RESET:
        if not wlan.isconnected():
            wlan.connect("Home", "correct horse")
            wait(wlan.isconnected)
            machine.soft_reset()
        machine.reset()
    """
    )
    await device.power_on()
    for line in ("cause 1 False", "cause 5 True", "cause 2 False"):
        await device.expect(line)
