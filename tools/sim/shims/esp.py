"""`esp` of the simulated chip."""

LOG_NONE = 0
LOG_ERROR = 1
LOG_WARNING = 2
LOG_INFO = 3
LOG_DEBUG = 4
LOG_VERBOSE = 5


def osdebug(uart_no, level=LOG_ERROR):
    """Accept a level for the log of ESP-IDF, which a simulated chip does not have."""
