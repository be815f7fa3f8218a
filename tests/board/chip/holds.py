"""How long each step of a coroutine holds the event loop, and where. Runs on the board."""

import time


class Holds:
    """Times what it is given to watch; `longest_us` has the longest hold of each place, in microseconds.

    What is watched may be nested: a hold is that of the whole step, and its place the innermost one in which
    most of it was spent. `depth` is 0 where nothing that is watched is running.
    """

    def __init__(self):
        self.longest_us = {}
        self.depth = 0
        self._inner_us = 0
        self._inner = None

    def steps(self, place, coroutine):
        """A generator that runs `coroutine`, and times each of its steps.

        place: a name, or a function that returns it, asked before each step.
        """
        error = None
        while True:
            name = place() if callable(place) else place
            start_us = self._begin()
            try:
                value = coroutine.send(None) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            finally:
                self._end(name, start_us)
            error = None
            try:
                yield value
            except BaseException as caught:  # cancelled, say: the coroutine is who has to know
                error = caught

    def call(self, place, function):
        """The function `function`, timed."""

        def timed(*arguments, **named):
            start_us = self._begin()
            try:
                return function(*arguments, **named)
            finally:
                self._end(place, start_us)

        return timed

    def coroutine(self, place, function):
        """The coroutine function `function`, its steps timed; `place` may be a function of its owner."""

        def timed(*arguments, **named):
            here = (lambda: place(arguments[0])) if callable(place) else place
            return self.steps(here, function(*arguments, **named))

        return timed

    def _begin(self):
        self.depth += 1
        return time.ticks_us()

    def _end(self, place, start_us):
        us = time.ticks_diff(time.ticks_us(), start_us)
        self.depth -= 1
        if 2 * self._inner_us <= us:
            self._inner_us, self._inner = us, place
        if not self.depth:
            self.longest_us[self._inner] = max(self.longest_us.get(self._inner, 0), us)
            self._inner_us = 0
