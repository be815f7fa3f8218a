"""What the WebAssembly VM lacks of the chip's `_thread`: here a thread is a task, which runs in one go."""

import asyncio


async def _run(function, arguments):
    function(*arguments)


def start_new_thread(function, arguments):
    asyncio.create_task(_run(function, arguments))  # noqa: RUF006 - the loop keeps it
