"""What things are sorted by."""

from .billing_groups import BillingGroups
from .thing_groups import ThingGroups
from .thing_types import ThingTypes


class Groups(ThingTypes, ThingGroups, BillingGroups):
    """Thing types, thing groups and billing groups, by the names and arguments of boto3's `iot` client."""
