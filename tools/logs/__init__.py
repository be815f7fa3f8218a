"""Logs of devices and of other systems' syslog: drained, followed, locally and on AWS."""
