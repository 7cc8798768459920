"""The rate limiter: one write at a time and a second apart, final ones first."""

from __future__ import annotations

import asyncio

import pytest

from reviewbot.github.client.errors import RateLimitedError
from reviewbot.github.client.exchange import GRAPHQL, Request, Urgency, read, write
from reviewbot.github.client.limits import Limit
from reviewbot.github.client.rate_limit import HOUR_S, MINUTE_S, Pace, RateLimiter
from tests.virtual_time import in_virtual_time

READ = read("/x")
FINAL = write("PATCH", "/final", urgency=Urgency.FINAL)
NORMAL = write("PATCH", "/normal")
PROGRESS = write("PATCH", "/progress", urgency=Urgency.PROGRESS)
CREATE = write("POST", "/new")
QUERY = Request(verb="POST", path=GRAPHQL)


class Log:
    """Sends requests through a lane, and notes when each was sent."""

    def __init__(self, limiter: RateLimiter, takes_s: float = 0.0) -> None:
        self.limiter, self.takes_s = limiter, takes_s
        self.sent: list[tuple[str, float]] = []
        self.at_once = self.most_at_once = 0
        self.began = now()

    async def send(self, request: Request) -> None:
        slot = await self.limiter.acquire(request)
        self.sent.append((request.path, round(now() - self.began, 6)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.takes_s)
        self.at_once -= 1
        slot()

    async def all(self, *requests: Request) -> list[tuple[str, float]]:
        await asyncio.gather(*map(self.send, requests))
        return self.sent


def now() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_a_write_begins_a_second_after_the_one_before_has_ended() -> None:
    log = Log(RateLimiter(), takes_s=0.5)
    assert await log.all(NORMAL, NORMAL, NORMAL) == [
        ("/normal", 0.0),
        ("/normal", 1.5),
        ("/normal", 3.0),
    ]
    assert log.most_at_once == 1


@in_virtual_time
async def test_the_most_urgent_write_goes_first_however_late_it_came() -> None:
    log = Log(RateLimiter())
    first = asyncio.gather(*map(log.send, [PROGRESS, PROGRESS, NORMAL]))
    await asyncio.sleep(0.9)
    await log.all(FINAL)
    await first
    assert [path for path, _ in log.sent] == ["/progress", "/final", "/normal", "/progress"]


@in_virtual_time
async def test_writes_of_the_same_urgency_go_in_the_order_in_which_they_came() -> None:
    log = Log(RateLimiter())
    paths = [f"/{number}" for number in range(20)]
    await log.all(*(write("PATCH", path) for path in paths))
    assert [path for path, _ in log.sent] == paths


@in_virtual_time
async def test_reads_go_at_once_up_to_a_number_and_do_not_wait_for_writes() -> None:
    log = Log(RateLimiter(Pace(readers=3)), takes_s=1.0)
    await log.all(NORMAL, *[READ] * 7, NORMAL)
    assert [at for path, at in log.sent if path == "/x"] == [0, 0, 0, 1, 1, 1, 2]
    assert log.most_at_once == 4


@in_virtual_time
async def test_a_hundred_final_writes_of_one_installation_all_get_their_turn() -> None:
    log = Log(RateLimiter(), takes_s=0.2)
    await log.all(*[PROGRESS] * 50, *[FINAL] * 100)
    order = [path for path, _ in log.sent]
    assert order == ["/progress"] + ["/final"] * 100 + ["/progress"] * 49
    assert log.sent[100][1] == pytest.approx(120.0)


@in_virtual_time
async def test_only_so_many_are_created_an_hour_and_changes_do_not_count() -> None:
    log = Log(RateLimiter(Pace(created_an_hour=3)))
    await log.all(*[CREATE] * 4, *[NORMAL] * 5)
    created = [at for path, at in log.sent if path == "/new"]
    assert created[:3] == [0.0, 1.0, 2.0]
    assert created[3] == HOUR_S
    assert max(at for path, at in log.sent if path == "/normal") < 10


@in_virtual_time
async def test_no_minute_has_more_points_than_github_grants() -> None:
    limiter = RateLimiter(Pace(readers=50, points_a_minute=100))
    sent: list[float] = []
    for _ in range(250):
        (await limiter.acquire(READ))()
        sent.append(now())
    (await limiter.acquire(NORMAL))()
    assert all(sum(at < one <= at + 60 for one in sent) <= 100 for at in sent)
    assert sent[-1] - sent[0] == pytest.approx(2 * 61.0)


@in_virtual_time
async def test_a_request_is_sent_as_soon_as_the_minute_has_room_for_it() -> None:
    limiter = RateLimiter(Pace(points_a_minute=2))
    sent: list[float] = []
    for _ in range(3):
        (await limiter.acquire(READ))()
        sent.append(now())
        await asyncio.sleep(10)
    assert [at - sent[0] for at in sent] == [0.0, 10.0, MINUTE_S]


@in_virtual_time
async def test_nothing_is_sent_while_a_limit_lasts() -> None:
    limiter = RateLimiter()
    log = Log(limiter)
    limiter.close(Limit("all", 60.0))
    await log.all(READ, NORMAL, QUERY)
    assert {at for _, at in log.sent} == {60.0}


@in_virtual_time
async def test_the_hourly_limits_of_rest_and_graphql_are_two() -> None:
    limiter = RateLimiter()
    log = Log(limiter)
    limiter.close(Limit("graphql", 600.0))
    await log.all(QUERY, READ)
    assert log.sent == [("/x", 0.0), (GRAPHQL, 600.0)]


@in_virtual_time
async def test_another_installation_does_not_wait_for_a_limit() -> None:
    limited, free = RateLimiter(), RateLimiter()
    limited.close(Limit("all", 900.0))
    log = Log(free)
    await log.all(READ, NORMAL)
    assert log.sent == [("/x", 0.0), ("/normal", 0.0)]


@in_virtual_time
async def test_a_limit_that_grows_while_it_is_waited_for_is_obeyed() -> None:
    limiter = RateLimiter()
    log = Log(limiter)
    limiter.close(Limit("all", 10.0))
    waiting = asyncio.gather(log.send(READ))
    await asyncio.sleep(5)
    limiter.close(Limit("all", 60.0))
    limiter.close(Limit("all", 1.0))
    await waiting
    assert log.sent == [("/x", 65.0)]


@in_virtual_time
async def test_the_wait_that_github_does_not_name_is_a_minute_and_doubles() -> None:
    limiter = RateLimiter()
    waits = []
    for _ in range(7):
        began = now()
        limiter.close(Limit("all", None))
        (await limiter.acquire(READ))()
        waits.append(now() - began)
    assert waits == pytest.approx([60, 120, 240, 480, 900, 900, 900])


@in_virtual_time
async def test_requests_that_meet_the_same_limit_count_it_once() -> None:
    limiter = RateLimiter()
    log = Log(limiter)
    for _ in range(4):
        limiter.close(Limit("all", None))
    await log.all(READ)
    assert log.sent == [("/x", 60.0)]


@in_virtual_time
async def test_after_a_success_the_next_limit_is_the_first_again() -> None:
    limiter = RateLimiter()
    log = Log(limiter)
    limiter.close(Limit("all", None))
    await log.all(READ)
    limiter.served()
    limiter.close(Limit("all", None))
    await log.all(READ)
    assert log.sent == [("/x", 60.0), ("/x", 120.0)]


@in_virtual_time
async def test_a_request_that_would_wait_too_long_fails_at_once_even_while_it_waits() -> None:
    limiter = RateLimiter(Pace(patience_s=600.0))
    limiter.close(Limit("all", 10.0))
    waiting = asyncio.ensure_future(limiter.acquire(READ))
    await asyncio.sleep(1)
    began = now()
    limiter.close(Limit("core", 1800.0))
    with pytest.raises(RateLimitedError) as caught:
        await waiting
    assert caught.value.seconds == pytest.approx(1800.0)
    with pytest.raises(RateLimitedError):
        await limiter.acquire(NORMAL)
    assert now() == began


@in_virtual_time
async def test_creating_too_much_in_an_hour_fails_at_once_and_blocks_nothing_else() -> None:
    limiter = RateLimiter(Pace(created_an_hour=1, patience_s=10.0))
    log = Log(limiter)
    await log.all(CREATE)
    began = now()
    with pytest.raises(RateLimitedError) as caught:
        await limiter.acquire(CREATE)
    assert caught.value.seconds == pytest.approx(HOUR_S)
    assert now() == began
    await log.all(READ, NORMAL)
    await asyncio.sleep(caught.value.seconds)
    (await limiter.acquire(CREATE))()


@in_virtual_time
async def test_a_cancelled_request_delays_no_other() -> None:
    limiter = RateLimiter(Pace(readers=1))
    log = Log(limiter, takes_s=1.0)
    begun = asyncio.ensure_future(log.send(NORMAL))
    await asyncio.sleep(0)
    given_up = [asyncio.ensure_future(limiter.acquire(NORMAL)) for _ in range(3)]
    await asyncio.sleep(0.5)
    for one in given_up:
        one.cancel()
    await log.all(NORMAL)
    await begun
    assert log.sent == [("/normal", 0.0), ("/normal", 2.0)]


@in_virtual_time
async def test_a_slot_granted_to_a_cancelled_task_goes_to_the_next() -> None:
    limiter = RateLimiter()
    held = await limiter.acquire(NORMAL)
    waiting = asyncio.ensure_future(limiter.acquire(NORMAL))
    await asyncio.sleep(2)
    limiter._write_at = 0.0
    held()  # grants the turn, but its task does not run before it is cancelled
    limiter._write_at = 0.0
    limiter._let_go()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5):
        (await limiter.acquire(NORMAL))()
