"""Files with which a model is done before its conversation fails, against the fake API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.events.events import ChunkFinished
from tests.fake_anthropic import Answer, StatusError, StreamError
from tests.models.scripted import item
from tests.pipeline.test_lookups import READ, Review
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from tests.support.reviews import Seen


def done(*paths: str) -> list[dict[str, str]]:
    """The files of a report that is done with these."""
    return [{"path": path, "change": "Adds lines"} for path in paths]


def statuses(seen: Seen) -> dict[str, str]:
    return {chunk.path: chunk.status for chunk in seen.of(ChunkFinished)}


TWO = ("a.py", "b.py")
CUT = json.dumps({"findings": [item(1)], "files": done("a.py"), "outcome": "continuing"})[:-1]


@in_virtual_time
async def test_a_failed_conversation_retries_only_files_that_it_was_not_done_with() -> None:
    review = Review()
    seen = await review.of(
        Answer([item(1)], files=done("a.py"), outcome="continuing", lookups=[READ]),
        StatusError(529),
        Answer([item(2, path="b.py")]),
        paths=TWO,
        apart=False,
    )
    assert [request.shown_paths for request in review.requests] == [TWO, TWO, ("b.py",)]
    assert len(seen.standing) == 2
    assert statuses(seen) == {"a.py": "reviewed", "b.py": "reviewed"}
    assert seen.end.outcome == "findings"


@in_virtual_time
async def test_files_that_a_model_was_done_with_stay_reviewed_if_all_attempts_fail() -> None:
    review = Review()
    seen = await review.of(
        Answer([item(1)], files=done("a.py"), outcome="continuing", lookups=[READ]),
        respond=lambda _: StatusError(529),
        paths=TWO,
        apart=False,
    )
    assert statuses(seen) == {"a.py": "reviewed", "b.py": "failed"}
    assert len(seen.standing) == 1
    assert seen.end.outcome == "incomplete"


@in_virtual_time
async def test_a_truncated_turn_continues_with_files_that_the_model_was_not_done_with() -> None:
    review = Review()
    seen = await review.of(
        Answer([item(1)], files=done("a.py"), outcome="continuing", lookups=[READ]),
        Answer([item(2, path="b.py"), item(3, path="b.py")], truncate_at=420),
        Answer([item(3, path="b.py")]),
        paths=TWO,
        apart=False,
    )
    assert review.requests[2].shown_paths == ("b.py",)
    assert "already_reported" in review.requests[2].text
    assert statuses(seen) == {"a.py": "reviewed", "b.py": "reviewed"}
    assert len(seen.standing) == 3


@pytest.mark.parametrize(
    "report",
    [
        Answer([item(1)], files=done(*TWO), outcome="continuing", lookups=[READ]),
        Answer([item(1)], files=done("a.py"), outcome=None, lookups=[READ]),
        Answer([item(1)], files=done("other.py"), outcome="continuing", lookups=[READ]),
        Answer(report=CUT, error=StreamError()),
    ],
    ids=["all files", "no outcome", "another file", "a cut report"],
)
@in_virtual_time
async def test_without_a_report_that_closes_some_files_all_are_retried(report: Answer) -> None:
    review = Review()
    seen = await review.of(report, respond=lambda _: StatusError(529), paths=TWO, apart=False)
    assert statuses(seen) == {"a.py": "partly", "b.py": "failed"}
    assert review.requests[-2].shown_paths == ("a.py",)


@in_virtual_time
async def test_a_refusal_closes_no_file() -> None:
    review = Review()
    seen = await review.of(
        Answer(files=done("a.py"), outcome="continuing", lookups=[READ]),
        respond=lambda _: Answer(call=False, stop_reason="refusal"),
        paths=TWO,
        apart=False,
    )
    assert statuses(seen) == {"a.py": "failed", "b.py": "failed"}


@in_virtual_time
async def test_files_that_a_model_was_done_with_are_known_after_a_crash() -> None:
    review = Review()
    with pytest.raises(AssertionError, match="no reply"):  # the node dies in the second turn
        await review.of(
            Answer([item(1)], files=done("a.py"), outcome="continuing", lookups=[READ]),
            paths=TWO,
            apart=False,
        )
    seen = await review.of(StatusError(529), Answer(), paths=TWO, apart=False)
    assert review.requests[1].shown_paths == ("b.py",)
    assert statuses(seen) == {"a.py": "reviewed", "b.py": "reviewed"}
