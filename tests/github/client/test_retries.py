"""Which requests are retried, and limits of one installation that delay no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.auth import AppCredentials
from reviewbot.github.client.errors import (
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
    UncertainWriteError,
)
from reviewbot.github.client.exchange import Patience, Urgency
from reviewbot.github.client.rate_limit import Pace
from tests.fake_github import FakeGitHub
from tests.fake_github.wire import Answer
from tests.github.scripted import IMPATIENT, TOKEN, Scripted, comment, pull, scripted
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_github.wire import Recorded

BROKEN = (500, 502, 503, 504)
SECONDARY = {"message": "You have exceeded a secondary rate limit."}


def now() -> float:
    return asyncio.get_running_loop().time()


def one_after_another(*answers: Answer | None) -> Callable[[Recorded], Answer | None]:
    """The answers in turn; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def run(number: int = 1) -> dict[str, Any]:
    return {"id": number, "name": "reviewbot", "head_sha": "0" * 40, "status": "completed"}


# --- Again, where that is safe


@pytest.mark.parametrize("status", BROKEN)
@in_virtual_time
async def test_a_read_is_retried_a_few_times(status: int) -> None:
    script = one_after_another(*[Answer({}, status)] * 3, Answer(pull(1)))
    async with scripted(script) as (server, gateway):
        began = now()
        assert (await gateway.holder().pulls.get("o/r", 1)).number == 1
        assert len(server.requests) == 4
        assert now() - began == pytest.approx(1 + 3 + 9)


@pytest.mark.parametrize(("asked", "waits"), [("0", 1), ("20", 20), ("9999", 60)])
@in_virtual_time
async def test_retry_after_of_a_server_is_waited_for(asked: str, waits: float) -> None:
    script = one_after_another(Answer({}, 503, {"retry-after": asked}), Answer(pull(1)))
    async with scripted(script) as (_, gateway):
        began = now()
        await gateway.holder().pulls.get("o/r", 1)
        assert now() - began == pytest.approx(waits)


@in_virtual_time
async def test_a_read_whose_connection_breaks_is_retried() -> None:
    async with scripted(one_after_another(None, None, Answer(pull(1)))) as (server, gateway):
        assert (await gateway.holder().pulls.get("o/r", 1)).number == 1
        assert len(server.requests) == 3


@in_virtual_time
async def test_a_read_fails_at_last_as_github_unavailable() -> None:
    async with scripted(lambda _: Answer({}, 502)) as (server, gateway):
        with pytest.raises(UnavailableError, match=r"GET /repos/o/r/pulls/1: it answered 502"):
            await gateway.holder().pulls.get("o/r", 1)
        assert len(server.requests) == 4


@in_virtual_time
async def test_an_idempotent_change_is_retried() -> None:
    script = one_after_another(Answer({}, 502), None, Answer(comment(1)))
    async with scripted(script) as (server, gateway):
        await gateway.holder().comments.update("o/r", 1, "text")
        assert server.calls == ["PATCH /repos/o/r/issues/comments/1"] * 3


@in_virtual_time
async def test_not_found_on_a_retried_delete_counts_as_deleted() -> None:
    script = one_after_another(None, Answer({"message": "Not Found"}, 404))
    async with scripted(script) as (server, gateway):
        await gateway.holder().reviews.delete_comment("o/r", 1)
        assert len(server.requests) == 2


async def test_a_404_is_not_retried() -> None:
    async with scripted(lambda _: Answer({"message": "Not Found"}, 404)) as (server, gateway):
        with pytest.raises(NotFoundError, match="installed"):
            await gateway.holder().pulls.get("o/r", 1)
        assert len(server.requests) == 1


# --- Never again


@pytest.mark.parametrize("answer", [*(Answer({}, status) for status in BROKEN), None])
@in_virtual_time
async def test_a_post_is_never_repeated(answer: Answer | None) -> None:
    async with scripted(lambda _: answer) as (server, gateway):
        api = gateway.holder()
        with pytest.raises(UncertainWriteError, match="GitHub may have completed"):
            await api.comments.create("o/r", 1, "text")
        with pytest.raises(UncertainWriteError):
            await api.reviews.create("o/r", 1, {"event": "COMMENT"})
        with pytest.raises(UncertainWriteError):
            await api.reviews.reply("o/r", 1, 2, "text")
        with pytest.raises(UncertainWriteError):
            await api.checks.create("o/r", {})
        assert len(server.requests) == 4


@in_virtual_time
async def test_a_post_whose_response_is_late_is_not_repeated() -> None:
    async with scripted(lambda _: Answer(comment(1)), patience=IMPATIENT) as (server, gateway):
        server.open.clear()
        with pytest.raises(UncertainWriteError, match="no answer in time"):
            await gateway.holder().comments.create("o/r", 1, "text")
        assert len(server.requests) == 1


@in_virtual_time
async def test_a_post_whose_response_cannot_be_read_is_not_repeated() -> None:
    async with scripted(lambda _: Answer(b"<html>", 201)) as (server, gateway):
        with pytest.raises(UncertainWriteError, match="has an unexpected form"):
            await gateway.holder().comments.create("o/r", 1, "text")
        assert len(server.requests) == 1


@in_virtual_time
async def test_an_answer_that_takes_too_long_in_all_is_given_up() -> None:
    patience = Patience(total_s=-1.0)
    async with scripted(lambda _: Answer(comment(1)), patience=patience) as (server, gateway):
        with pytest.raises(UncertainWriteError, match="took longer"):
            await gateway.holder().comments.create("o/r", 1, "text")
        assert len(server.requests) == 1


@in_virtual_time
async def test_a_post_that_reached_nobody_is_sent_again() -> None:
    async with Scripted(lambda _: None).serving() as server:
        pass
    async with Gateway(SecretText(TOKEN), base_url=server.url) as gateway:
        with pytest.raises(UnavailableError, match="no connection"):
            await gateway.holder().comments.create("o/r", 1, "text")


@in_virtual_time
async def test_annotations_are_not_resent_because_github_appends_them() -> None:
    with_some = {"output": {"annotations": [{"path": "a"}]}}
    async with scripted(lambda _: Answer({}, 502)) as (server, gateway):
        with pytest.raises(UncertainWriteError):
            await gateway.holder().checks.update("o/r", 1, with_some)
        assert len(server.requests) == 1
        with pytest.raises(UnavailableError):
            await gateway.holder().checks.update("o/r", 1, {"output": {"title": "x"}})
        assert len(server.requests) == 5


@in_virtual_time
async def test_a_reaction_is_resent_because_github_keeps_one_of_a_kind() -> None:
    async with scripted(one_after_another(None, Answer({}, 200))) as (server, gateway):
        await gateway.holder().comments.react("o/r", 1, on_line=False)
        assert len(server.requests) == 2


async def test_a_cancelled_write_holds_its_slot_until_it_has_ended() -> None:
    async with scripted(lambda _: Answer(comment(1)), pace=Pace(gap_s=0.0)) as (server, gateway):
        server.open.clear()
        api = gateway.holder()
        given_up = asyncio.ensure_future(api.comments.create("o/r", 1, "first"))
        await server.came.wait()
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        second = asyncio.ensure_future(api.comments.create("o/r", 1, "second"))
        await asyncio.sleep(0.05)
        assert len(server.requests) == 1
        server.open.set()
        await second
        assert [request.body["body"] for request in server.requests] == ["first", "second"]


# --- Limits


@pytest.mark.parametrize(
    ("limited", "wait"),
    [
        (Answer(SECONDARY, 403, {"retry-after": "30"}), 30),
        (Answer(SECONDARY, 429, {"retry-after": "30"}), 30),
        (Answer(SECONDARY, 403), 60),
        (Answer({}, 429), 60),
        (Answer({"errors": [{"code": "abuse"}]}, 422), 60),
        (Answer({}, 429, {"retry-after": "0"}), 1),
    ],
)
@in_virtual_time
async def test_a_rate_limited_request_is_retried_after_the_wait_posts_too(
    limited: Answer, wait: float
) -> None:
    async with scripted(one_after_another(limited, Answer(comment(1)))) as (server, gateway):
        began = now()
        assert (await gateway.holder().comments.create("o/r", 1, "text")).id == 1
        assert len(server.requests) == 2
        assert now() - began == pytest.approx(wait, abs=0.1)


@in_virtual_time
async def test_a_limit_after_a_success_is_waited_for_as_the_first_one_is() -> None:
    limited, fine = Answer({}, 429), Answer(comment(1))
    script = one_after_another(limited, limited, fine, limited, fine)
    async with scripted(script) as (server, gateway):
        began = now()
        for _ in range(2):
            await gateway.holder().comments.update("o/r", 1, "text")
        assert [round(one.at - began) for one in server.requests] == [0, 60, 180, 181, 241]


@in_virtual_time
async def test_the_hours_limit_is_waited_for_by_githubs_clock() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000600"}
    headers["date"] = "Tue, 14 Nov 2023 22:13:20 GMT"  # 1700000000
    limited = Answer({"message": "API rate limit exceeded"}, 403, headers)
    async with scripted(one_after_another(limited, Answer(pull(1))), clock=lambda: 5.0) as (
        server,
        gateway,
    ):
        began = now()
        await gateway.holder().pulls.get("o/r", 1)
        assert len(server.requests) == 2
        assert now() - began == pytest.approx(601, abs=0.1)


@in_virtual_time
async def test_after_the_last_request_of_the_hour_none_is_wasted() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000"}
    script = one_after_another(Answer(pull(1), 200, headers), Answer(pull(2)))
    async with scripted(script, clock=lambda: 900.0) as (server, gateway):
        began = now()
        assert (await gateway.holder().pulls.get("o/r", 1)).number == 1
        assert now() == began
        assert (await gateway.holder().pulls.get("o/r", 2)).number == 2
        assert now() - began == pytest.approx(101, abs=0.1)
        assert len(server.requests) == 2


@in_virtual_time
async def test_a_rate_limited_installation_delays_no_other() -> None:
    def script(request: Recorded) -> Answer:
        if request.path.startswith("/app"):
            number = request.path.split("/")[3]
            return Answer({"token": f"ghs_{number}", "expires_at": "2099-01-01T00:00:00Z"}, 201)
        if request.headers["authorization"].endswith("_7") and now() < limited_until:
            return Answer(SECONDARY, 403, {"retry-after": "600"})
        return Answer(pull(1))

    async with scripted(script, app=True) as (_, gateway):
        limited_until = now() + 500
        began = now()
        waiting = [
            asyncio.ensure_future(gateway.installation(7).pulls.get("o/r", number))
            for number in range(100)
        ]
        await asyncio.gather(
            *(gateway.installation(8).pulls.get("o/r", number) for number in range(100))
        )
        assert now() - began < 1.0
        await asyncio.gather(*waiting)
        assert now() - began == pytest.approx(600, abs=1)


@in_virtual_time
async def test_the_wait_doubles_until_patience_ends() -> None:
    async with scripted(lambda _: Answer({}, 429), pace=Pace(patience_s=500.0)) as (
        server,
        gateway,
    ):
        began = now()
        with pytest.raises(RateLimitedError, match="rate limit"):
            await gateway.holder().pulls.get("o/r", 1)
        assert [round(one.at - began) for one in server.requests] == [0, 60, 180, 420]


@pytest.mark.slow
@in_virtual_time
async def test_githubs_own_limits_are_never_met_by_a_hundred_pull_requests_at_once() -> None:
    async with FakeGitHub() as github:
        repo = github.pull({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}).repo
        token = SecretText(github.token(repo).value)
        async with Gateway(token, base_url=github.url, clock=github.clock.now) as gateway:
            api, began = gateway.holder(), now()

            async def story(number: int) -> None:
                made = await api.comments.create("octo/hello", 1, f"begins {number}")
                for step in range(3):
                    text = f"progress {step} of {number}"
                    await api.comments.update("octo/hello", made.id, text, urgency=Urgency.PROGRESS)
                await api.pulls.get("octo/hello", 1)

            await asyncio.gather(*map(story, range(100)))
            assert now() - began == pytest.approx(399, abs=5)
        assert github.limits.refused == []
        assert {one.body[:10] for one in repo.pulls[0].comments} == {"progress 2"}


@in_virtual_time
async def test_an_hour_that_is_used_up_is_waited_for_and_not_by_others() -> None:
    async with FakeGitHub() as github:
        base, head = {"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}
        numbers = {
            name: github.install(github.pull(base, head, repository=name).repo).id
            for name in ("octo/hello", "hexa/hello")
        }
        credentials = AppCredentials(str(github.app.id), SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url, clock=github.clock.now) as gateway:

            async def ask(name: str) -> float:
                began = now()
                await gateway.installation(numbers[name]).pulls.get(name, 1)
                return now() - began

            for name in numbers:
                assert await ask(name) < 1
            github.limits.exhaust(f"installation ID {numbers['octo/hello']}")
            waiting = asyncio.ensure_future(ask("octo/hello"))
            await asyncio.sleep(1)
            assert await ask("hexa/hello") < 1
            assert await waiting == pytest.approx(3600, abs=5)
        assert len(github.limits.refused) == 1


@in_virtual_time
async def test_a_graphql_limit_in_a_200_is_waited_for() -> None:
    limited = Answer({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]})
    fine = Answer({"data": {"viewer": {"login": "mona"}}})
    async with scripted(one_after_another(limited, fine)) as (server, gateway):
        began = now()
        assert await gateway.login() == "mona"
        assert len(server.requests) == 2
        assert now() - began == pytest.approx(60, abs=0.1)


async def test_another_graphql_error_is_told() -> None:
    refused = {"errors": [{"type": "UNPROCESSABLE", "message": "Could not minimize this."}]}
    async with scripted(lambda _: Answer(refused)) as (_, gateway):
        with pytest.raises(InvalidError, match="Could not minimize this"):
            await gateway.holder().threads.minimize("IC_1")
