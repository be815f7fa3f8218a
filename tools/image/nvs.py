"""A partition for ESP-IDF's key-value store (NVS), with what a device would else make at its first start."""

import io

from esp_idf_nvs_partition_gen import nvs_partition_gen as nvs

_NAMESPACE, _CODE = "iot", "code"  # where lib/iot/identity.py looks: a blob of the code's characters


def make(code: str, size: int) -> bytes:
    """A partition of `size` bytes with a label's code, which is normalised."""
    partition = io.BytesIO()
    with nvs.nvs_open(partition, size, nvs.Page.VERSION2) as opened:
        nvs.write_entry(opened, _NAMESPACE, "namespace", "", "")
        nvs.write_entry(opened, _CODE, "data", "hex2bin", code.encode().hex())
    return partition.getvalue()
