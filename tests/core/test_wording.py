"""Words that sentences share: a count agrees with its noun, a list reads as one."""

from __future__ import annotations

import pytest

from reviewbot.core.wording import count, listed


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (2_000, "2,000 files")]
)
def test_a_noun_agrees_with_its_number(number: int, text: str) -> None:
    assert count(number, "file") == text


def test_a_plural_that_is_not_regular_is_given() -> None:
    assert [count(number, "batch", "batches") for number in (1, 2)] == ["1 batch", "2 batches"]


@pytest.mark.parametrize(
    ("parts", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_a_list_reads_as_one(parts: list[str], text: str) -> None:
    assert listed(parts) == text
