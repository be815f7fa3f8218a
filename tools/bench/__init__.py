"""Measures the device's MQTT client, beside umqtt.simple, against a real broker; and counts P-256's steps."""
