"""Fleet indexing, a setting of the whole account that CloudFormation has no resource for."""

from typing import Any

from tools.thing.account import Account

_ON = {"thingIndexingMode": "REGISTRY_AND_SHADOW", "thingConnectivityIndexingMode": "STATUS"}
_OFF = {"thingIndexingMode": "OFF", "thingConnectivityIndexingMode": "OFF"}
OURS, THEIRS = "ours", "theirs"  # the base's parameter Indexing: who switched it on


def is_off(account: Account) -> bool:
    """Whether nothing is indexed."""
    return bool(_configuration(account).get("thingIndexingMode", "OFF") == "OFF")


def switch_on(account: Account) -> None:
    """Index the registry, classic shadows and who is connected."""
    account.iot.update_indexing_configuration(thingIndexingConfiguration=_ON)


def switch_off(account: Account) -> bool:
    """Undo `switch_on`, where it is as that left it; whether it was."""
    now = _configuration(account)
    if {name: now.get(name) for name in _ON} != _ON or now.get("customFields"):
        return False
    account.iot.update_indexing_configuration(thingIndexingConfiguration=_OFF)
    return True


def _configuration(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.iot.get_indexing_configuration()
    return dict(found.get("thingIndexingConfiguration", {}))
