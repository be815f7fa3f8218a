"""How often the claim may ask for a certificate. Imported for the moment and forgotten.

Each one that is asked for stays in the account, so a policy or a template that does not fit must not cost one
after the other. They are counted in flash, over restarts, and the pause between two grows to a day. One that
is refused as the one before it was, and has never connected, is left in place for that whole day at once:
the next one would fare no better. A new configuration and a factory reset begin anew.
"""

import binascii
import struct
import time

from micropython import const

# Whether one of the next two is there; how many were asked for; why the one before the present one was given
# up, and why the present one is, 0 where it has connected; when the last was asked for, in seconds.
_STATE = const(">BBIII")
_FREE = const(3)  # asked for without a pause: at the first start much may break off
_FIRST_S = const(60)
_DAY_S = const(86400)
_DOUBLINGS_MOST = const(11)
_COUNT_MOST = const(255)


def pause_s(store, reason=None):
    """Seconds until the next may be asked for, 0: now. `reason`: why the present certificate is refused."""
    _, count, before, present, at = _load(store)
    passed_s = int(time.time()) - at
    if passed_s < 0:  # the clock was ahead then
        passed_s = 0
        _save(store, count, before, present, int(time.time()))
    if before and before == _digest(reason):
        return max(0, _DAY_S - passed_s)
    if count < _FREE:
        return 0
    return max(0, min(_DAY_S, _FIRST_S << min(count - _FREE, _DOUBLINGS_MOST)) - passed_s)


def refused(store, reason, log, notify):
    """The present certificate is, for good: tells ("certificate_refused", reason) if it may be replaced."""
    wait_s = pause_s(store, reason)
    if wait_s:
        text = "the certificate is refused for good; the next one is asked for in {} min at the earliest: {}"
        log.warning("cloud", text, (wait_s + 59) // 60, reason)
        return
    _, count, before, present, at = _load(store)
    if present != _digest(reason):  # else the claim has failed since
        _save(store, count, before, _digest(reason), at)
    log.warning("cloud", "the certificate is refused for good: {}", reason)
    notify("certificate_refused", reason)


def asked(store):
    """One is asked for now."""
    _, count, _, present, at = _load(store)
    now = int(time.time())
    if now - at > 2 * _DAY_S:  # all was well, or nobody has asked
        count = 0
    _save(store, min(count + 1, _COUNT_MOST), present, 0, now)


def connected(store):
    """The present certificate has connected, whatever became of the one before."""
    _, count, _, _, at = _load(store)
    _save(store, count, 0, 0, at)


def failed(store):
    """The last one was not taken in its trial: the next is asked for in a day."""
    _, _, before, present, at = _load(store)
    _save(store, _COUNT_MOST, before, present, at)


def _load(store):
    state = store.renewal()
    return struct.unpack(_STATE, state) if state else (0, 0, 0, 0, 0)


def _save(store, count, before, present, at):
    doubted = 1 if before or present else 0
    store.renewal(struct.pack(_STATE, doubted, count, before, present, at & 0xFFFFFFFF))


def _digest(reason):
    """A number that is never 0, of how it was refused: one cause is not always told in the same details."""
    return binascii.crc32(reason.partition(":")[0].encode()) | 1 if reason else 0
