"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import copy
import re

import pytest

from reviewbot.core.late_pattern import late_pattern


def test_a_late_pattern_is_used_like_any_other() -> None:
    late, early = late_pattern(r"(a)\d", re.IGNORECASE), re.compile(r"(a)\d", re.IGNORECASE)
    for _ in range(2):
        assert late.sub("x", "A1 b2") == early.sub("x", "A1 b2") == "x b2"
        assert late.findall("a1A2") == ["a", "A"]
    assert (late.pattern, late.flags) == (early.pattern, early.flags)
    assert late_pattern(rb"\d").search(b"a1") is not None


def test_it_is_compiled_at_its_first_use_and_not_before() -> None:
    late = late_pattern("(")
    with pytest.raises(re.error, match="unterminated subpattern"):
        late.search("")


def test_it_can_be_copied() -> None:
    assert copy.copy(late_pattern("a")).fullmatch("a") is not None
