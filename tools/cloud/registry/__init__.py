"""The registry: certificates, policies, things and templates, by the names of boto3's `iot` client."""

from .registry import Registry

__all__ = ["Registry"]
