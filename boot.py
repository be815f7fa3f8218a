"""First on the chip: what has to be so before main.py runs. No network, next to no heap."""

import esp
import machine

esp.osdebug(None)  # of ESP-IDF's own log only errors may break into the console's lines
machine.freq(240_000_000)  # a TLS handshake holds the loop for a third less time than at the default 160 MHz
