"""Want of memory: its faces, what heals it, and an application that takes too much."""

from fakes import FakeChip, FakeMachine
from iot.log import Log

# As seen on chips, or as mbedTLS adds its numbers up.
FACES = (
    MemoryError("memory allocation failed, allocating 1000 bytes"),
    OSError(12, "ENOMEM"),
    OSError(16, "MBEDTLS_ERR_MPI_ALLOC_FAILED"),
    OSError(-17040, "MBEDTLS_ERR_RSA_PUBLIC_FAILED+MBEDTLS_ERR_MPI_ALLOC_FAILED"),
    OSError(-10368, "MBEDTLS_ERR_X509_ALLOC_FAILED"),
    OSError(-15104, "MBEDTLS_ERR_PK_INVALID_PUBKEY"),
    OSError(-0x7F00, ""),
    OSError(-0x3F80, ""),
    OSError(-0x4D80, ""),
    OSError(-0x4E00 - 0x10, ""),
    OSError(-0x5180, ""),
    OSError(-0x6180, ""),
    OSError(-0x1180, ""),
    OSError(-0x3D00 - 0x6A, ""),
    RuntimeError("Wifi Unknown Error 0x0101"),
    ValueError("invalid key"),
    ValueError("invalid cert"),
)
OTHERS = (
    OSError(104, "ECONNRESET"),
    OSError(112, "EHOSTDOWN"),
    OSError(113, "EHOSTUNREACH"),
    OSError(-0x7780, "MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE"),
    OSError(-0x7280, ""),
    OSError(-0x3B00 - 0x62, "MBEDTLS_ERR_PK_INVALID_PUBKEY+MBEDTLS_ERR_ASN1_UNEXPECTED_TAG"),
    OSError(-0x7880, ""),
    OSError("no number"),
    ValueError("The certificate is not correctly signed by the trusted CA"),
    ValueError("the certificate is invalid"),
    RuntimeError("Wifi Internal Error"),
)


class FakeSystem:
    def __init__(self):
        self.starved = 0
        self.starved_reason = self.restarted = self.application = None
        self.lines = []
        self.log = Log(write=self.lines.append)
        self.heap_total = 92000

    def restart(self, reason):
        self.restarted = reason


class Collector:
    """A `gc` that takes no time, which the real one does 285 times."""

    def __init__(self):
        self.collections = 0

    def collect(self):
        self.collections += 1


class FakeApplication:
    def __init__(self, running=True):
        self.running = running
        self.errors = []

    def end(self, error):
        self.errors.append(error)
        return self.running


def test_want_of_memory_is_known_by_all_its_faces():
    with FakeChip(), FakeMachine():
        from iot import starving

        for error in FACES:
            assert starving.is_starved(error), error


def test_other_errors_are_none_of_its_faces():
    with FakeChip(largest=17 * 1024), FakeMachine():
        from iot import starving

        for error in OTHERS:
            assert not starving.is_starved(error), error


def test_whatever_fails_while_a_tls_record_has_no_room_is_want_of_memory():
    with FakeChip(largest=17 * 1024 - 1), FakeMachine():
        from iot import starving

        for error in OTHERS:
            assert starving.is_starved(error), error


def test_it_restarts_after_three_failures_then_after_twice_as_many_each_time():
    machine = FakeMachine()
    for tries in (3, 6, 12, 24, 48, 96, 96):
        with FakeChip(), machine:
            from iot import starving  # a new life

            starving.gc = Collector()
            system = FakeSystem()
            for number in range(1, tries + 1):
                assert system.restarted is None, number
                starving.heal(system, "no memory for TLS: x")
                assert system.starved == number and system.starved_reason == "no memory for TLS: x"
            assert system.restarted == "not enough memory: no memory for TLS: x"
            assert starving.gc.collections == tries
            assert len(system.lines) == tries and "3 times in a row" in system.lines[2]


def test_what_works_again_begins_the_counts_anew():
    machine = FakeMachine()
    with FakeChip(), machine:
        from iot import starving

        system = FakeSystem()
        for _ in range(3):
            starving.heal(system, "x")
        starving.fed(system)
        assert system.starved == 0 and system.starved_reason == "x", "the reason is kept for status"
        system = FakeSystem()
        for _ in range(2):
            starving.heal(system, "x")
        assert system.restarted is None
        starving.heal(system, "x")
        assert system.restarted


def test_a_life_that_was_well_for_long_begins_the_counts_anew():
    machine = FakeMachine()
    with FakeChip(), machine:
        from iot import starving

        system = FakeSystem()
        for _ in range(3):
            starving.heal(system, "x")
        for well_ms, tries in ((590000, 6), (610000, 3)):
            system = FakeSystem()
            system.log._uptime_ms = well_ms
            for _ in range(tries):
                assert system.restarted is None
                starving.heal(system, "x")
            assert system.restarted


def test_an_application_that_leaves_too_little_is_ended():
    system = FakeSystem()
    system.application = FakeApplication()
    with FakeChip(free=4095), FakeMachine():
        from iot import starving

        starving.settle(system, 4096)
        (error,) = system.application.errors
        assert isinstance(error, MemoryError) and "4095 bytes of heap are free" in str(error)
        assert not system.starved


def test_enough_after_a_collection_is_enough():
    system = FakeSystem()
    system.application = FakeApplication()
    with FakeChip(free=4096), FakeMachine():
        from iot import starving

        starving.settle(system, 4096)
        assert not system.application.errors and not system.starved


def test_a_heap_that_has_grown_ends_the_application_and_then_the_life():
    with FakeChip(total=109408), FakeMachine():
        from iot import starving

        system = FakeSystem()
        system.application = FakeApplication()
        starving.settle(system, 4096)
        assert "17408 too many" in str(system.application.errors[0]) and not system.starved
        for application in (FakeApplication(running=False), None):  # what else could let go of it?
            system.application = application
            starving.settle(system, 4096)
        assert system.starved == 2 and not system.restarted
        starving.settle(system, 4096)
        assert "the heap has grown by 17408 bytes" in system.restarted
