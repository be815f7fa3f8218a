"""Addresses in place of DHCP: those that can work, and what is wrong with the others."""

from check import raises
from documents import claim
from iot import config
from iot.config import ConfigError

GOOD = {"ip": "192.168.4.77", "netmask": "255.255.255.0", "gateway": "192.168.4.1", "dns": "1.1.1.1"}


def validated(static):
    document = claim()
    document["wifi"][1]["static"] = static
    return config.validate(document)["wifi"]


def changed(**members):
    static = dict(GOOD)
    static.update(members)
    return {name: value for name, value in static.items() if value is not None}


def test_an_address_is_kept_and_the_gateway_is_the_dns_server_where_none_is_named():
    networks = validated(GOOD)
    assert "static" not in networks[0] and networks[1]["static"] == GOOD
    assert validated(changed(dns=None))[1]["static"] == changed(dns="192.168.4.1")
    assert validated(networks[1]["static"])[1]["static"] == GOOD


def test_networks_of_every_size():
    for netmask, ip, gateway in (
        ("255.0.0.0", "10.200.3.4", "10.0.0.1"),
        ("255.255.0.0", "172.16.255.254", "172.16.0.1"),
        ("255.255.255.252", "192.168.0.2", "192.168.0.1"),
    ):
        assert validated(changed(netmask=netmask, ip=ip, gateway=gateway))


def test_every_error_names_its_place_and_reason():
    address = "an IPv4 address such as 192.168.4.20"
    for static, text in (
        ("192.168.4.77", "static: not a JSON object"),
        ({}, "static.ip: missing"),
        (changed(gateway=None), "static.gateway: missing"),
        (changed(mask="x"), "static.mask: unknown; one of ip, netmask, gateway, dns"),
        (changed(ip="192.168.4"), "static.ip: " + address),
        (changed(ip="192.168.4.256"), "static.ip: " + address),
        (changed(ip="192.168.4.077"), "static.ip: " + address),
        (changed(ip="192.168.4.7 "), "static.ip: " + address),
        (changed(ip="192.168.4.\u0667"), "static.ip: " + address),
        (changed(ip=["192", "168", "4", "7"]), "static.ip: " + address),
        (changed(dns="dns.google"), "static.dns: " + address),
        (changed(dns="0.0.0.0"), "static.dns: not the address of one host"),
        (changed(ip="127.0.0.1", gateway="127.0.0.2"), "static.ip: not the address of one host"),
        (changed(gateway="224.0.0.1"), "static.gateway: not the address of one host"),
        (changed(netmask="24"), "static.netmask: " + address),
        (changed(netmask="255.0.255.0"), "static.netmask: ones, then zeros"),
        (changed(netmask="255.255.255.254"), "static.netmask: ones, then zeros"),
        (changed(netmask="0.0.0.0"), "static.netmask: ones, then zeros"),
        (changed(ip="192.168.4.0"), "static.ip: the address of the network"),
        (changed(ip="192.168.4.255"), "static.ip: the address of the network"),
        (changed(gateway="192.168.5.1"), "static.gateway: not in the network of ip"),
        (changed(ip="192.168.4.1"), "static.ip: is the gateway's"),
    ):
        raises(ConfigError, "wifi[1]." + text, validated, static)
