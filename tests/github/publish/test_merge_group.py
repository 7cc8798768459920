"""The order of results, and the chain of entries that makes a merge group."""

from __future__ import annotations

from itertools import pairwise, product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.github.api.merge_queues import MergeQueue, QueueEntry, group_of
from reviewbot.github.app.retries import FEW_TRIES, MOST_TRIES
from reviewbot.github.publish.merge_group import (
    ORDER,
    POLL_S,
    WAIT_S,
    CheckSource,
    GroupResult,
    PullResult,
    Result,
    ended,
    summary,
    worst,
)

SOURCE = CheckSource("octo/hello", "https://github.com/octo/hello", "reviewbot", 1)
SHAS = [f"{number:040x}" for number in range(10)]


def results(*found: Result) -> tuple[PullResult, ...]:
    return tuple(PullResult(number, "a" * 40, one) for number, one in enumerate(found, 1))


def test_the_worst_results_come_first() -> None:
    assert list(ORDER) == ["failure", "missing", "running", "neutral", "success"]
    assert set(ORDER) == set(get_args(Result))
    for worse, better in pairwise(ORDER):
        assert worst((better, worse, better)) == worse


@pytest.mark.parametrize("found", list(product(ORDER, repeat=2)))
def test_a_group_passes_only_if_each_pull_request_has_a_result_that_passes(
    found: tuple[Result, Result],
) -> None:
    group = GroupResult(results(*found))
    passes = {"neutral", "success"} >= set(found)
    assert (group.conclusion != "failure") == passes
    assert (group.conclusion == "success") == (set(found) == {"success"})
    assert group.waits == (worst(found) == "running")


def test_a_group_without_pull_requests_or_with_a_problem_fails() -> None:
    assert GroupResult().conclusion == "failure"
    assert GroupResult(results("success"), problem="No queue.").conclusion == "failure"


def test_the_title_of_a_large_group_counts() -> None:
    passed = results("success", "success", "success", "success", "success", "success")
    group = GroupResult((*passed, PullResult(7, "a" * 40, "failure")))
    assert group.title == "Failed: #7. Passed: 6 pull requests"


def test_each_pull_request_has_a_line_in_the_check() -> None:
    group = GroupResult(
        (
            PullResult(12, "a" * 40, "success", url="https://github.com/octo/hello/runs/1"),
            PullResult(13, "b" * 40, "missing", "there is no check"),
        )
    )
    assert summary(group, SOURCE).splitlines() == [
        "A merge group gets the worst result of its pull requests, by their checks `reviewbot`.",
        "",
        "- [#12](https://github.com/octo/hello/pull/12) at `aaaaaaa`:"
        " [Passed](https://github.com/octo/hello/runs/1).",
        "- [#13](https://github.com/octo/hello/pull/13) at `bbbbbbb`:"
        " No result: there is no check.",
    ]


def test_a_hundred_pull_requests_fit_into_a_check() -> None:
    long = PullResult(1234567, "a" * 40, "missing", "x" * 300, f"https://github.com/{'y' * 150}")
    body = ended(GroupResult((long,) * 100), SOURCE, "2026-01-02T03:04:05Z")
    assert len(body["output"]["summary"].encode()) < 65_535


def chain(*shas: str) -> tuple[QueueEntry, ...]:
    return tuple(
        QueueEntry(number, "f" * 40, base, head, number)
        for number, (base, head) in enumerate(pairwise(shas), 1)
    )


def test_a_group_is_the_chain_of_entries_from_its_head_to_the_branch() -> None:
    queue = MergeQueue(chain(*SHAS[:5]), SHAS[0])
    group = group_of(queue, SHAS[3])
    assert group is not None
    assert [entry.number for entry in group] == [1, 2, 3]


@pytest.mark.parametrize("tip", [None, SHAS[9]])
def test_a_chain_that_does_not_end_on_the_branch_is_no_group(tip: str | None) -> None:
    assert group_of(MergeQueue(chain(*SHAS[:4]), tip), SHAS[3]) is None


def test_a_head_that_the_queue_does_not_list_is_no_group() -> None:
    assert group_of(MergeQueue(chain(*SHAS[:4]), SHAS[0]), SHAS[8]) is None
    assert group_of(MergeQueue((), SHAS[0]), SHAS[0]) is None


def test_entries_that_share_a_commit_are_no_group() -> None:
    entries = (*chain(*SHAS[:3]), QueueEntry(9, "f" * 40, SHAS[1], SHAS[2], 3))
    assert group_of(MergeQueue(entries, SHAS[0]), SHAS[2]) is None


def test_a_chain_that_misses_an_entry_ahead_is_no_group() -> None:
    entries = tuple(
        QueueEntry(number, "f" * 40, SHAS[0], SHAS[number], number) for number in (1, 2, 3)
    )
    assert group_of(MergeQueue(entries, SHAS[0]), SHAS[1]) == entries[:1]
    assert group_of(MergeQueue(entries, SHAS[0]), SHAS[3]) is None


def test_the_looks_of_a_whole_wait_leave_attempts_for_failures() -> None:
    assert WAIT_S / POLL_S + FEW_TRIES <= MOST_TRIES


@given(
    st.lists(st.tuples(st.sampled_from(SHAS), st.sampled_from(SHAS)), max_size=8),
    st.sampled_from(SHAS),
    st.sampled_from([None, *SHAS]),
)
def test_a_group_always_leads_from_its_head_to_the_branch(
    edges: list[tuple[str, str]], head: str, tip: str | None
) -> None:
    entries = tuple(QueueEntry(n, "f" * 40, *edge, n) for n, edge in enumerate(edges))
    group = group_of(MergeQueue(entries, tip), head)
    if group is not None:
        assert (group[0].base, group[-1].head) == (tip, head)
        assert all(ahead.head == entry.base for ahead, entry in pairwise(group))
