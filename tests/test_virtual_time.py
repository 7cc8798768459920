from __future__ import annotations

import asyncio
import time

import pytest

from tests.virtual_time import in_virtual_time, run


@in_virtual_time
async def test_a_long_sleep_takes_no_real_time_and_is_measured_exactly() -> None:
    loop = asyncio.get_running_loop()
    virtual, real = loop.time(), time.monotonic()
    await asyncio.sleep(86_400)
    assert loop.time() - virtual == 86_400
    assert time.monotonic() - real < 5


@in_virtual_time
async def test_timers_fire_in_their_order() -> None:
    order: list[int] = []

    async def note(delay: int) -> None:
        await asyncio.sleep(delay)
        order.append(delay)

    await asyncio.gather(note(300), note(1), note(60))
    assert order == [1, 60, 300]


@in_virtual_time
async def test_bytes_on_a_socket_win_against_a_timeout() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(200):
        writer.write(b"x" * 1000)
        async with asyncio.timeout(0.001):
            await reader.readexactly(1000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await reader.read(1)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(1)


@in_virtual_time
async def test_a_busy_thread_is_waited_for() -> None:
    async with asyncio.timeout(0.001):
        await asyncio.to_thread(time.sleep, 0.02)


def test_run_returns_the_result() -> None:
    async def main() -> int:
        await asyncio.sleep(5)
        return 7

    assert run(main()) == 7
