"""`aioble` of the simulated chip: what a peripheral needs of it, with the manners of the real one (0.6).

Of those, some surprise: a cancelled `advertise` returns None, a timeout of 0 is none, a buffered
characteristic forgets its initial value when it is registered, and all that capture their writes share one
queue of 10.
"""

from .link import Device, DeviceConnection, DeviceDisconnectedError, GattError, advertise, config
from .server import BufferedCharacteristic, Characteristic, Descriptor, Service, register_services, stop

ADDR_PUBLIC = 0
ADDR_RANDOM = 1
