"""Rate limits of GitHub, told from other refusals."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.github.client.exchange import Answer
from reviewbot.github.client.limits import Limit, refused_by, used_up

SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)
PRIMARY = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1600"}
NOW = 1000.0


def refused(status: int, message: str = "", *, graphql: bool = False, **more: Any) -> Limit | None:
    headers = more.pop("headers", {})
    answer = Answer(status=status, headers=headers, data={"message": message, **more})
    return refused_by(answer, graphql=graphql, now=NOW)


@pytest.mark.parametrize("status", [403, 429])
def test_retry_after_is_obeyed_before_all_else(status: int) -> None:
    headers = PRIMARY | {"retry-after": "17"}
    assert refused(status, SECONDARY, headers=headers) == Limit("all", 17.0)


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_of_the_hour_lasts_until_its_reset(status: int) -> None:
    message = "API rate limit exceeded for installation ID 7."
    assert refused(status, message, headers=PRIMARY) == Limit("core", 601.0)
    assert refused(status, message, headers=PRIMARY, graphql=True) == Limit("graphql", 601.0)


@pytest.mark.parametrize(
    "message",
    [
        SECONDARY,
        "You have triggered an abuse detection mechanism. Please retry your request again later.",
    ],
)
def test_a_secondary_limit_without_a_time_has_none(message: str) -> None:
    assert refused(403, message) == Limit("all", None)
    assert refused(429) == Limit("all", None)


def test_the_spam_filter_is_a_limit_and_other_422s_are_none() -> None:
    assert refused(422, errors=[{"code": "abuse"}]) == Limit("all", None)
    assert refused(422, errors=[{"code": "abuse"}], headers={"retry-after": "5"}) == Limit("all", 5)
    assert refused(422, errors=[{"code": "custom"}, "line must be part of the diff"]) is None


def test_a_missing_permission_is_no_limit_even_with_the_last_request_of_the_hour() -> None:
    message = "Resource not accessible by integration"
    assert refused(403, message) is None
    assert refused(403, message, headers=PRIMARY) is None


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_other_answers_are_no_limits(status: int) -> None:
    assert refused(status, SECONDARY, headers=PRIMARY) is None


def test_graphql_says_it_with_a_200() -> None:
    errors = [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]
    assert refused(200, graphql=True, errors=errors) == Limit("graphql", None)
    assert refused(200, graphql=True, errors=errors, headers=PRIMARY) == Limit("graphql", 601.0)
    assert refused(200, errors=errors) is None


def test_the_last_request_of_the_hour_is_known_from_its_success() -> None:
    assert used_up(PRIMARY, graphql=False, now=NOW) == Limit("core", 601.0)
    assert used_up({**PRIMARY, "x-ratelimit-remaining": "1"}, graphql=False, now=NOW) is None


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-1e999", "1e30"])
def test_an_invalid_time_is_not_waited_for(value: str) -> None:
    assert refused(429, headers={"retry-after": value}) in (Limit("all", None), Limit("all", 0.0))
    used = used_up({**PRIMARY, "x-ratelimit-reset": value}, graphql=False, now=NOW)
    assert used is None or used.seconds == 1.0
