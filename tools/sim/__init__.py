"""A simulated ESP32: a process of its own a device, and a world process around it."""
