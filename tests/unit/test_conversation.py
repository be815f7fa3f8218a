"""One phone's connection from its first frame on: who is answered, who is shown out, and what nobody sees."""

import asyncio
import json

from ble_bench import OKM, Bench
from check import araises
from documents import claim
from iot.ble.requests import packet
from phone import (
    ACCESS_DENIED,
    AUTH,
    CODE,
    COMMIT,
    CONFIG,
    DATA,
    DEVICE_PRIVATE,
    GET,
    INVALID_REQUEST,
    LOCKED,
    MISSING_PACKETS,
    SCAN,
    STATUS,
    TOO_LARGE,
    UNSUPPORTED,
    Keys,
    Phone,
    begin,
    frames,
    piece,
)


async def test_a_phone_proves_itself_and_asks():
    b = Bench()
    b.phone = Phone()
    hello = await b.write(AUTH, await b.phone.hello(), size=19)
    assert not b.conversation.proven and b.opened == 0
    proof = await b.write(AUTH, await b.phone.proof_for(hello[0][1]), size=19)
    b.phone.check(proof[0][1])
    assert b.conversation.proven and b.opened == 1
    assert (await b.ask(STATUS, GET))["id"] == "esp32-240ac4000001"
    assert (await b.ask(CONFIG, begin(b"12345")))["at"] == 0
    assert (await b.ask(DATA, b"\1x"))["name"] == "INVALID_REQUEST"


async def test_a_wrong_code_ends_the_connection():
    b = Bench()
    for wrong in range(5):
        b.phone = Phone("0123456789AC")
        sent = await b.write(AUTH, await b.phone.hello())
        proof = await b.phone.proof_for(sent[0][1])
        await b.ended(AUTH, proof, LOCKED if wrong == 4 else ACCESS_DENIED)
    assert b.door.count == 5 and b.opened == 0


async def test_anything_but_hello_and_proof_before_the_proof_ends_it():
    for channel in (CONFIG, STATUS, DATA):
        b = Bench()
        await b.ended(channel, Keys(OKM).seal(channel, GET), ACCESS_DENIED)
        await b.write(AUTH, await Phone().hello())
        await b.ended(channel, b"x", ACCESS_DENIED)
        assert b.opened == 0 and b.door.count == 0 and b.setup.document.size == 0


async def test_messages_on_auth_that_are_none():
    b = Bench()
    for message, code in (
        (b"\0", INVALID_REQUEST),
        (b"\2" + bytes(32), INVALID_REQUEST),
        (b"\1\2" + bytes(65), UNSUPPORTED),
        (b"\1\1" + bytes(65), INVALID_REQUEST),
        (bytes(67), INVALID_REQUEST),
        (bytes(68), TOO_LARGE),
        (bytes(8192), TOO_LARGE),
    ):
        assert await b.write(AUTH, message) == [(AUTH, bytes([0xFF, code]))]
    await b.prove()
    assert b.conversation.proven


async def test_a_session_ends_with_a_message_that_is_not_sealed_right():
    for spoil in (
        lambda message: message[:-1] + bytes([message[-1] ^ 1]),
        lambda message: message[:5],
        lambda message: b"\0\0\0\2" + message[4:],
    ):
        b = Bench(proven=True)
        assert (await b.ask(STATUS, GET))["name"] == "SUCCESS"
        await b.ended(STATUS, spoil(b.phone.seal(STATUS, GET)), ACCESS_DENIED)
        await b.conversation.send(STATUS, b"{}")
        assert len(b.sent) == 1  # nothing is sent without keys


async def test_replay_and_swapped_characteristics():
    for first, second in ((CONFIG, CONFIG), (CONFIG, STATUS), (STATUS, DATA)):
        b = Bench(proven=True)
        message = b.phone.seal(first, GET)
        if first == second:
            await b.write(first, message)
        await b.ended(second, message, ACCESS_DENIED)


async def test_a_missing_frame_is_told_sealed_and_the_same_bytes_come_again():
    b = Bench(proven=True)
    for channel in (CONFIG, STATUS, DATA):
        request = b"\3abc" + bytes(36) if channel == DATA else GET + bytes(36)
        message = b.phone.seal(channel, request)
        parts = frames(message, 19)
        b.sent.clear()
        for frame in parts[:1] + parts[2:]:
            await b.conversation.frame(channel, frame)
        assert [number for number, _ in b.sent] == [channel]
        answer = b.phone.open(channel, b.sent[0][1])
        members = json.loads(answer[1:] if channel == DATA else answer)
        assert members == {"code": MISSING_PACKETS, "name": "MISSING_PACKETS"}
        sent = await b.write(channel, message)
        assert [number for number, _ in sent] == [channel] and b.phone.open(channel, sent[0][1])
    assert b.conversation.proven


async def test_a_missing_frame_before_the_session_is_told_on_auth():
    b = Bench()
    hello = frames(await Phone().hello())
    for frame in hello[:1] + hello[2:]:
        await b.conversation.frame(AUTH, frame)
    assert b.sent == [(AUTH, bytes([0xFF, MISSING_PACKETS]))]
    await b.prove()
    assert b.conversation.proven


async def test_a_message_that_is_too_long():
    b = Bench(proven=True)
    sent = await b.write(CONFIG, bytes(65536))
    assert json.loads(b.phone.open(CONFIG, sent[0][1])) == {"code": TOO_LARGE, "name": "TOO_LARGE"}
    assert (await b.ask(STATUS, GET))["name"] == "SUCCESS"


async def test_a_hello_in_an_open_session_begins_anew():
    b = Bench(proven=True)
    old = b.phone.seal(STATUS, GET)
    await b.write(AUTH, await Phone().hello())
    assert not b.conversation.proven
    await b.conversation.send(STATUS, b"{}")
    assert len(b.sent) == 1
    await b.prove()
    assert b.opened == 1 and (await b.ask(STATUS, GET))["name"] == "SUCCESS"
    await b.write(AUTH, await Phone().hello())
    await b.ended(STATUS, old, ACCESS_DENIED)


async def test_messages_leave_in_the_order_of_their_counters():
    b = Bench(proven=True)
    b.slow = True
    texts = [b'"%d"' % number for number in range(5)]
    await asyncio.gather(*[b.conversation.send(STATUS, text) for text in texts])
    assert [b.phone.open(STATUS, message) for _, message in b.sent] == texts


async def test_no_push_overtakes_the_answer_to_its_request():
    b = Bench(proven=True)
    b.slow = True
    running = asyncio.create_task(b.setup.run())
    await asyncio.sleep_ms(0)
    await b.write(STATUS, b.phone.seal(STATUS, SCAN))
    while len(b.sent) < 3:
        await asyncio.sleep_ms(1)
    running.cancel()
    told = [json.loads(b.phone.open(STATUS, message)) for _, message in b.sent]
    assert told[0] == {"op": 2, "code": 0, "name": "SUCCESS"}
    assert told[1] == {"scanning": True} and told[2]["scanning"] is False


async def test_packets_of_the_application_both_ways():
    b = Bench(proven=True)
    heard = []
    b.packets.on("x", heard.append)
    assert await b.ask(DATA, b"\1xpayload") == {"code": 0, "name": "SUCCESS"}
    assert heard == [b"payload"]
    b.sent.clear()
    await b.conversation.send(DATA, packet("y", b"1"))
    assert b.phone.open(DATA, b.sent[0][1]) == b"\1y1"


async def test_a_link_that_breaks_while_an_answer_is_sent():
    b = Bench(proven=True)

    async def transmit(channel, message):
        raise OSError("it disconnected")

    b.conversation._transmit = transmit
    await araises(OSError, "it disconnected", b.write(STATUS, b.phone.seal(STATUS, GET)))
    b.conversation._transmit = b._transmit
    await b.conversation.send(STATUS, b"{}")  # its lock was let go
    assert len(b.sent) == 1


async def test_no_secret_is_seen_anywhere():
    """Neither in the log, nor on the air, nor in what a phone that knows the code is told."""
    password, key_body = "hunter2-hunter2", claim()["aws"]["claim_key"].split("\n")[1]
    document = claim()
    document["wifi"] = [{"ssid": "Home", "password": password}]
    document["app"] = {"token": password}
    right = json.dumps(document)
    texts = [
        right,
        right.replace('"ssid"', '"sid"'),
        right.replace('"' + password + '"', '"' + password * 5 + '"'),
        right.replace('"' + password + '"', '["' + password + '"]'),
        right.replace("-----END EC", "-----END"),
        right[:-1],
        right.replace("Fleet_1", password + "!"),
    ]
    b = Bench()
    await b.prove()
    seen, air = [], [b.sent[0][1]]
    running = asyncio.create_task(b.setup.run())

    async def note(channel, request):
        for _, message in await b.write(channel, b.phone.seal(channel, request)):
            take(channel, message)

    def take(channel, message):
        air.append(message)
        seen.append(b.phone.open(channel, message))

    for text in [text.encode() for text in texts]:
        for result in ("WRONG_PASSWORD", "NO_ADDRESS", "SUCCESS"):
            b.join_result = result
            b.save_error = OSError(28, "ENOSPC") if len(b.saved) == 0 and result == "SUCCESS" else None
            await note(CONFIG, begin(text))
            for at in range(0, len(text), 1024):
                await note(CONFIG, piece(text, at))
            await note(CONFIG, COMMIT)
            b.sent.clear()
            while b.setup.committing:
                await asyncio.sleep_ms(1)
            for _ in range(5):
                await asyncio.sleep_ms(0)
            for channel, message in list(b.sent):
                take(channel, message)
            await note(STATUS, GET)
            await note(DATA, b"\1" + password.encode())
    running.cancel()
    everything = b"\n".join(seen).decode() + "\n".join(b.log.lines)
    for name in ("WRONG_PASSWORD", "STORAGE_FAILED", "INVALID_VALUE", "INVALID_JSON"):
        assert name in everything, name
    raw = b"".join(air)
    keys = [b.session._keys[i : i + 32] for i in range(0, 192, 32)]
    for secret in (password, key_body, CODE, "ABCD-EFGH"):
        assert secret not in everything, secret
        assert secret.encode() not in raw
    for key in keys + [DEVICE_PRIVATE]:
        assert key not in raw
        assert key.hex() not in everything


async def test_what_the_phone_is_told_about_a_code_is_the_same_for_all_wrong_ones():
    b = Bench()
    for code in ("0123456789AC", "ZZZZZZZZZZZZ"):
        b.phone = Phone(code)
        sent = await b.write(AUTH, await b.phone.hello())
        await b.ended(AUTH, await b.phone.proof_for(sent[0][1]), ACCESS_DENIED)


async def test_before_the_proof_nothing_longer_than_a_hello_is_kept():
    """On any characteristic, in frames of any size; after it, all is as it was."""
    b = Bench()
    for channel in (AUTH, CONFIG, STATUS, DATA):
        for size in (1, 19, 243):
            assert await b.write(channel, bytes(9000), size) == [(AUTH, bytes([0xFF, TOO_LARGE]))]
            assert b.conversation._assembler._length <= 67
    await b.prove()
    document = b"x" * 4000
    assert (await b.ask(CONFIG, begin(document)))["at"] == 0
    assert (await b.ask(CONFIG, piece(document, 0, 4000)))["at"] == 4000


async def test_a_phone_has_greeted_by_a_right_hello_alone():
    b = Bench()
    for message in (b"\0", b"\1\1" + bytes(65), b"\1\2" + bytes(65), b"\2" + bytes(32)):
        await b.write(AUTH, message)
        assert not b.conversation.greeted, message
    await b.write(AUTH, await Phone().hello())
    assert b.conversation.greeted and not b.conversation.proven
    await b.write(AUTH, b"\1\1" + bytes(65))
    assert not b.conversation.greeted
