"""The Wi-Fi station as the ESP32's driver is, seen from the device."""

from tools.sim import Device, World

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


async def test_connect_and_disconnect(run) -> None:
    lines = await run(
        CONNECT
        + """
    assert wlan.active() and not wlan.isconnected() and wlan.status() == network.STAT_IDLE
    assert wlan.ifconfig()[0] == "0.0.0.0"
    error(wlan.status, "rssi")
    wlan.connect("Home", "correct horse")
    assert wlan.status() == network.STAT_CONNECTING
    error(wlan.connect, "Home", "correct horse")
    error(wlan.scan)
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
        "Wifi Internal State Error",
        "Wifi Internal Error",
        "Wifi Not Started",
        "Wifi Not Started",
    ]


async def test_an_access_point_that_gives_no_address(device: Device, world: World, load) -> None:
    world.wifi_dhcp(False)
    load(
        CONNECT
        + """
    wlan.connect("Home", "correct horse")
    while True:
        try:
            print(wlan.status("rssi"), wlan.isconnected(), wlan.status() == network.STAT_CONNECTING)
            break
        except OSError:
            time.sleep_ms(10)
    wait(wlan.isconnected)
    print("an address")
    """
    )
    await device.power_on()
    await device.expect("^-55 False True$")
    world.wifi_dhcp(True)
    await device.expect("^an address$")


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
