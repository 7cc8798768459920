"""Levels of rules by path."""

from __future__ import annotations

import pytest

from reviewbot.core.findings.levels import PathRules, RuleLevels


def test_without_paths_the_levels_hold_everywhere() -> None:
    assert RuleLevels({"bug": "off"}).at("a/b.py") == {"bug": "off"}


def test_levels_of_a_path_hold_for_paths_that_match() -> None:
    levels = RuleLevels({"bug": "error"}, (PathRules(("tests/", "*.md"), {"bug": "off"}),))
    assert levels.at("src/a.py") == {"bug": "error"}
    assert levels.at("tests/a.py") == levels.at("src/tests/b/a.py") == levels.at("a.md")
    assert levels.at("tests/a.py") == {"bug": "off"}


def test_a_negated_pattern_leaves_a_path_out() -> None:
    levels = RuleLevels({}, (PathRules(("tests/", "!tests/e2e/*"), {"bug": "off"}),))
    assert levels.at("tests/a.py") == {"bug": "off"}
    assert levels.at("tests/e2e/a.py") == {}


def test_the_last_of_several_entries_wins_and_the_others_add_to_it() -> None:
    first = PathRules(("tests/",), {"bug": "off", "docs": "off"})
    levels = RuleLevels({"api": "note"}, (first, PathRules(("*.py",), {"bug": "note"})))
    assert levels.at("tests/a.py") == {"api": "note", "bug": "note", "docs": "off"}


def test_an_invalid_pattern_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a gitignore pattern"):
        RuleLevels({}, (PathRules(("a[z-a]",), {}),)).at("a.py")
