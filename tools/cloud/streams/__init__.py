"""MQTT-based file delivery: files of S3 in blocks over MQTT, and the streams that say which ones."""

from .service import Streams

__all__ = ["Streams"]
