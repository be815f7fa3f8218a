"""The REST control plane that boto3 and the aws CLI drive, by AWS's own service models."""

from .server import Rest

__all__ = ["Rest"]
