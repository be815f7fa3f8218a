"""A real board on a serial port: flash, deploy, configure, console."""
