"""`aioble` of the simulated chip: what a peripheral needs of it, with the manners of the real one (0.6).

Of those, some surprise: a cancelled `advertise` returns None, a timeout of 0 is none, a buffered
characteristic forgets its initial value when it is registered, all that capture their writes share one queue
of 10, and a name that is no ASCII and no bytes is advertised with too short a length.

No package manager has the real one: the tests marked `aioble` hold both to the same, where it is at hand.
"""

from .link import Device, DeviceConnection, DeviceDisconnectedError, GattError, advertise, config
from .server import BufferedCharacteristic, Characteristic, Descriptor, Service, register_services, stop

ADDR_PUBLIC = 0
ADDR_RANDOM = 1
