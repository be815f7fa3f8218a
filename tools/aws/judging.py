"""Findings about policies: what a claim or a thing lacks, and what it could do in another's name."""

from collections.abc import Iterator, Sequence

from tools.cloud.context import Variables
from tools.cloud.errors import MalformedPolicyException

from . import rights
from .finding import Finding, fault, ok, unknown
from .rights import Right, Rights

_SHOWN = 3
_NEEDS = "Allow it: docs/board.md tells what the policy needs; python3 -m tools aws up makes it."
_OWN = "Have it name ${iot:Connection.Thing.ThingName} where it has a wildcard: docs/policies.md."
_CLAIM = "Give it the policy of: python3 -m tools aws claim --batch NAME --until DATE"


def of_claim(
    documents: Sequence[str], owner: str, template: str, device: str, own_key: bool
) -> Iterator[Finding]:
    """What a claim's policies let a device by this name do."""
    variables = {"iot:ClientId": f"claim-{device}", "iot:Connection.Thing.IsAttached": "false"}
    found = _rights("claim's policy", documents, owner, variables)
    if isinstance(found, Finding):
        yield found
        return
    if missing := found.missing(rights.of_claim(template, device, own_key)):
        yield fault("claim's policy", f"claiming needs what it does not allow: {_listed(missing)}", _NEEDS)
    elif granted := found.granted([*rights.of_thing(device), *rights.of_others(device)]):
        yield fault("claim's policy", f"its key alone lets anybody {_listed(granted)}", _CLAIM)
    else:
        yield ok("claim's policy", "allows claiming, and nothing of a thing")


def of_thing(
    what: str, documents: Sequence[str], owner: str, variables: Variables, template: str | None
) -> Iterator[Finding]:
    """What policies let a thing do; its name is the client id of `variables`."""
    name = str(variables["iot:ClientId"])
    found = _rights(what, documents, owner, variables)
    if isinstance(found, Finding):
        yield found
        return
    missing, granted = found.missing(rights.of_thing(name)), found.granted(rights.of_others(name))
    if missing:
        yield fault(what, f"{name} needs what it does not allow: {_listed(missing)}", _NEEDS)
    if granted:
        yield fault(what, f"lets {name} act for others: {_listed(granted)}", _OWN)
    if not missing and not granted:
        renews = template and not found.missing(rights.provisioning(template))
        how = "by itself" if renews else "by the claim alone"
        yield ok(what, f"allows what {name} needs, nothing of another thing; it gets a new certificate {how}")


def _rights(what: str, documents: Sequence[str], owner: str, variables: Variables) -> Rights | Finding:
    try:
        return Rights(documents, owner, variables)
    except MalformedPolicyException as error:
        return unknown(what, f"this project's engine cannot judge it: {error}")


def _listed(found: Sequence[Right]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(map(str, found[:_SHOWN])) + more
