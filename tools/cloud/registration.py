"""What RegisterThing does with a template that is resolved: thing, groups, policies, certificate.

Source: AWS IoT Developer Guide, "Provisioning templates", "Override settings".
"""

from typing import Any

from .errors import ResourceConflictsException, ResourceNotFoundException
from .registry import Registry
from .template import Registration

# Where a template has no OverrideSettings: what it wants holds, and nothing is lost that it does not name.
_OVERRIDES = {
    "AttributePayload": "MERGE",
    "ThingGroups": "MERGE",
    "ThingTypeName": "REPLACE",
    "Status": "REPLACE",
}


def register(registry: Registry, wanted: Registration, certificate_id: str) -> None:
    """Bring the registry to what a template wants; for one transaction, which an error must undo.

    Raises:
        AwsError: what the template names does not exist, or exists otherwise and may not be overridden.
    """
    certificate = registry.arn(f"cert/{certificate_id}")
    for policy in wanted.policy_names:
        registry.attach_policy(policyName=policy, target=certificate)
    for document in wanted.policy_documents:
        registry.attach_policy(policyName=registry.ensure_policy(document), target=certificate)
    if (name := wanted.thing_name) is not None:
        try:
            there = registry.describe_thing(thingName=name)
        except ResourceNotFoundException:
            _create(registry, wanted, name)
        else:  # it registers again, as after a factory reset
            _override(registry, wanted, there)
        if wanted.billing_group is not None:
            registry.groups.add_thing_to_billing_group(billingGroupName=wanted.billing_group, thingName=name)
        registry.attach_thing_principal(thingName=name, principal=certificate)
    status = registry.describe_certificate(certificateId=certificate_id)["certificateDescription"]["status"]
    if _how(wanted, "Status", wanted.certificate_status, status) == "REPLACE":
        registry.update_certificate(certificateId=certificate_id, newStatus=wanted.certificate_status)


def _create(registry: Registry, wanted: Registration, name: str) -> None:
    attributes = {"attributes": wanted.attributes or {}}
    registry.create_thing(thingName=name, thingTypeName=wanted.thing_type, attributePayload=attributes)
    for group in wanted.thing_groups or ():
        registry.groups.add_thing_to_thing_group(thingGroupName=group, thingName=name)


def _override(registry: Registry, wanted: Registration, there: dict[str, Any]) -> None:
    """Bring a thing that exists to what the template wants, as far as its OverrideSettings let that."""
    name = there["thingName"]
    attributes = thing_type = None
    how = _how(wanted, "AttributePayload", wanted.attributes, there["attributes"])
    if how in ("MERGE", "REPLACE"):
        attributes = {"attributes": wanted.attributes, "merge": how == "MERGE"}
    if _how(wanted, "ThingTypeName", wanted.thing_type, there.get("thingTypeName")) == "REPLACE":
        thing_type = wanted.thing_type
    if attributes is not None or thing_type is not None:
        registry.update_thing(thingName=name, thingTypeName=thing_type, attributePayload=attributes)
    _override_groups(registry, wanted, name)


def _override_groups(registry: Registry, wanted: Registration, name: str) -> None:
    groups = registry.groups
    there = {
        entry["groupName"] for entry in groups.list_thing_groups_for_thing(thingName=name)["thingGroups"]
    }
    named = None if wanted.thing_groups is None else set(wanted.thing_groups)
    how = _how(wanted, "ThingGroups", named, there)
    if how == "REPLACE":
        for group in sorted(there - (named or set())):
            groups.remove_thing_from_thing_group(thingGroupName=group, thingName=name)
    if how in ("MERGE", "REPLACE"):
        for group in sorted((named or set()) - there):
            groups.add_thing_to_thing_group(thingGroupName=group, thingName=name)


def _how(wanted: Registration, name: str, value: object, there: object) -> str:
    """What is done with a property of what exists: its OverrideSettings; "" where there is nothing to do."""
    if value is None or value == there:
        return ""
    how = wanted.overrides.get(name, _OVERRIDES[name])
    if how == "FAIL":
        raise ResourceConflictsException(f"{name} differs from what exists, and the template lets that fail")
    return how
