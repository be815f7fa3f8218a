"""What a presigned URL says of itself."""

import time

from micropython import const

_1970_TO_2000_S = const(946684800)  # the chip's time begins in 2000


def end_s(url):
    """When a presigned URL's time is over, on the chip's clock. ValueError for what is none."""
    try:
        epoch_s = _1970_TO_2000_S if time.gmtime(0)[0] == 2000 else 0
        if "X-Amz-Date=" not in url:
            return int(_value(url, "Expires=")) - epoch_s
        date = _value(url, "X-Amz-Date=")  # 20261129T101530Z
        parts = [int(date[at : at + 2]) for at in (4, 6, 9, 11, 13)]
        return time.mktime((int(date[:4]),) + tuple(parts) + (0, 0)) + int(_value(url, "X-Amz-Expires="))
    except (ValueError, TypeError, AttributeError):
        raise ValueError("url: does not say when it ends")


def _value(url, name):
    return url[url.index(name) + len(name) :].partition("&")[0]
