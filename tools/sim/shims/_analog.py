# Analog parts of `machine`, as MicroPython 1.25 has them. What they read is wired in the world, which also
# sees what they put out.

import _world
from machine import _pin_id

_CHANNELS = (36, 37, 38, 39, 32, 33, 34, 35), (4, 0, 2, 15, 13, 12, 14, 27, 25, 26)  # of both converters
_TOUCH_PINS = (4, 0, 2, 15, 13, 12, 14, 27, 33, 32)
_CHANNELS_OF_PWM = 16
_TIMERS_OF_PWM = 8
_MAX_HZ = 40000000
_MAX_U16 = 65535
_INPUT_ONLY = 34
_bits = [12, 12]  # of both converters, for all their channels
_attenuations = {}  # by pin
_pwm = {}  # by pin: frequency and duty, of those that are active


class ADC:
    """A pin that measures: raw, scaled to 16 bits, or in microvolts."""

    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_9BIT = 9
    WIDTH_10BIT = 10
    WIDTH_11BIT = 11
    WIDTH_12BIT = 12

    def __init__(self, pin, *, atten=-1):
        self._pin = _pin_id(pin)
        if self._pin not in _CHANNELS[0] and self._pin not in _CHANNELS[1]:
            raise ValueError("invalid pin")
        self._block = int(self._pin in _CHANNELS[1])
        self.init(atten=atten)

    def init(self, *, atten=-1):
        if atten != -1 or self._pin not in _attenuations:
            self.atten(ADC.ATTN_0DB if atten == -1 else atten)

    def block(self):
        return ADCBlock(self._block, bits=_bits[self._block])

    def atten(self, value):
        if not ADC.ATTN_0DB <= value <= ADC.ATTN_11DB:
            raise ValueError("invalid atten")
        _attenuations[self._pin] = value

    def width(self, bits):
        _set_bits(self._block, bits)

    def read(self):
        most = (1 << _bits[self._block]) - 1
        return min(most, int(self._part() * most + 0.5))

    def read_u16(self):
        bits = _bits[self._block]
        raw = self.read()
        return raw << 16 - bits | raw >> 2 * bits - 16

    def read_uv(self):
        full_scale_mv = (1100, 1467, 2195, 3903)[_attenuations[self._pin]]
        return min(full_scale_mv, int(self._part() * full_scale_mv + 0.5)) * 1000

    def _part(self):
        return _world.call("part", "adc", self._pin, _attenuations[self._pin])


class ADCBlock:
    """One of the two converters."""

    def __init__(self, id, *, bits):
        if id not in (0, 1):
            raise ValueError("invalid block id")
        self._id = id
        self.init(bits=bits)

    def init(self, *, bits):
        _set_bits(self._id, bits)

    def connect(self, channel, *source, atten=-1):
        """A channel, by its number, its pin, or both."""
        pins = _CHANNELS[self._id]
        if isinstance(channel, int):
            pin = pins[channel] if 0 <= channel < len(pins) else -1
            if source and _pin_id(source[0]) != pin:
                pin = -1
        else:
            pin = _pin_id(channel)
        if pin not in pins:
            raise ValueError("no matching ADC")
        return ADC(pin, atten=atten)


def _set_bits(block, bits):
    if not 9 <= bits <= 12:
        raise ValueError("invalid bits")
    _bits[block] = bits


class PWM:
    """A pin that puts out pulses; of 16 such, those of one frequency share one of 8 timers."""

    def __init__(self, dest, freq=-1, *, duty=-1, duty_u16=-1, duty_ns=-1):
        self._pin = _pin_id(dest)
        if self._pin >= _INPUT_ONLY:
            raise ValueError("PWM not supported on Pin(%d)" % self._pin)
        self.init(freq, duty=duty, duty_u16=duty_u16, duty_ns=duty_ns)

    def init(self, freq=-1, *, duty=-1, duty_u16=-1, duty_ns=-1):
        if (duty, duty_u16, duty_ns).count(-1) < 2:
            raise ValueError("only one of parameters 'duty', 'duty_u16' or 'duty_ns' is allowed")
        now, level = _pwm.get(self._pin, (5000, 512 << 6))
        freq = now if freq == -1 else _checked_freq(freq)
        if duty_u16 != -1:
            level = _checked(duty_u16, _MAX_U16, "duty_u16 must be from 0 to 65535")
        elif duty_ns != -1:
            level = _of_ns(duty_ns, freq)
        elif duty != -1:
            level = _of_u10(duty)
        self._apply(freq, level)

    def deinit(self):
        if _pwm.pop(self._pin, None):
            _world.call("part", "pwm", self._pin, 0, 0)

    def freq(self, *value):
        if not value:
            return self._active()[0]
        self._apply(_checked_freq(value[0]), self._active()[1])
        return None

    def duty_u16(self, *value):
        if not value:
            return self._active()[1]
        self._apply(self._active()[0], _checked(value[0], _MAX_U16, "duty_u16 must be from 0 to 65535"))
        return None

    def duty(self, *value):
        if not value:
            return self._active()[1] >> 6
        self._apply(self._active()[0], _of_u10(value[0]))
        return None

    def duty_ns(self, *value):
        freq, level = self._active()
        if not value:
            return level * 1000000000 // (freq * _MAX_U16)
        self._apply(freq, _of_ns(value[0], freq))
        return None

    def _active(self):
        if self._pin not in _pwm:
            raise RuntimeError("PWM inactive")
        return _pwm[self._pin]

    def _apply(self, freq, level):
        others = [used for pin, used in _pwm.items() if pin != self._pin]
        if len(others) >= _CHANNELS_OF_PWM:
            raise ValueError("out of PWM channels:16")
        if len(set([used[0] for used in others] + [freq])) > _TIMERS_OF_PWM:
            raise ValueError("out of PWM timers:8")
        _pwm[self._pin] = freq, level
        _world.call("part", "pwm", self._pin, freq, level)


def _checked(value, most, text):
    if not 0 <= value <= most:
        raise ValueError(text)
    return value


def _checked_freq(freq):
    if not 0 < freq <= _MAX_HZ:
        raise ValueError("frequency must be from 1Hz to 40MHz")
    return freq


def _of_u10(duty):
    return _MAX_U16 if _checked(duty, 1023, "duty must be from 0 to 1023") == 1023 else duty << 6


def _of_ns(duty, freq):
    most = 1000000000 // freq
    return _checked(duty, most, "duty_ns must be from 0 to " + str(most) + " ns") * _MAX_U16 // most


class TouchPad:
    """A pin that feels a finger: what it reads gets smaller then."""

    def __init__(self, pin):
        self._pin = _pin_id(pin)
        if self._pin not in _TOUCH_PINS:
            raise ValueError("invalid pin for touchpad")

    def config(self, value):
        """Set the threshold at which it may wake the chip."""

    def read(self):
        return _world.call("part", "touch", self._pin)
