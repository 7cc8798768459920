"""The rules that are selected from guideline files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.prompt.guideline_selection import (
    BUDGET,
    DEEPEST,
    LAST_RESORT,
    GuidelineText,
    applicable,
    select,
)
from tests.support.guidelines import AGENTS, CONTRIBUTING, COPILOT_TS, CURSOR_PY, REVIEW
from tests.support.planted_secrets import BEGIN, BODY, END

if TYPE_CHECKING:
    from reviewbot.core.prompt.guidelines import Guidelines

COMMIT = "ab" * 20


def selected(*files: GuidelineText, budget: int = BUDGET) -> Guidelines:
    return select(files, commit=COMMIT, budget=budget)


def rules(many: int, *, size: int = 100, word: str = "x") -> str:
    """A file with ``many`` rules of ``size`` characters each."""
    lines = (f"Never use {number:03} {word}".ljust(size - 1, "y") for number in range(many))
    return "# Title\n\n## Code style\n\n" + "\n".join(f"- {line}." for line in lines)


def test_a_file_gives_its_rules_under_their_headings_and_names_what_it_drops() -> None:
    [file] = selected(GuidelineText("AGENTS.md", AGENTS)).files
    assert file.text.split("\n") == [
        "# Code style",
        "Use `logging.getLogger(__name__)`; never call `print()`.",
        "Amounts are `Decimal` and are rounded once, at the edge.",
        "In queries: always bind parameters",
        "In queries: avoid `extra()`",
        "# Naming",
        "Name handlers after the event: `on_order_paid`.",
        "# Testing",
        "unit | must not touch the network",
        "end to end | runs nightly",
        "# Gotchas",
        "Do not trust `order.total`; it is cached.",
        "# Security",
        "Customer e-mails should never be logged.",
    ]
    assert (len(file.rules), file.total, file.scope) == (9, 9, "")
    assert file.dropped == ("Commands", "Project structure")
    assert file.rules[0].line == 22


def test_better_tiers_come_first_within_the_budget() -> None:
    found = selected(GuidelineText("AGENTS.md", AGENTS), budget=200)
    assert found.text.count("\n") == 6
    assert "Amounts" not in found.text  # of tier 4, and longer than what is left
    [file] = found.files
    assert (len(file.rules), file.total) == (4, 9)
    assert "Gotchas" in file.dropped
    assert sum(map(len, file.text.splitlines(keepends=True))) <= 200


def test_a_file_for_reviewers_goes_in_as_a_whole_and_first() -> None:
    many = GuidelineText("AGENTS.md", rules(60))
    found = selected(many, GuidelineText("REVIEW.md", REVIEW))
    [agents, review] = found.files
    assert review.text == ("Look at migrations first.\n# Severity\nA missing index is a warning.")
    assert (len(review.rules), review.total) == (2, 2)
    assert 30 < len(agents.rules) < 40


def test_the_nearest_folder_comes_first_within_a_tier() -> None:
    deep = GuidelineText("shop/api/AGENTS.md", rules(30, word="deep"), "shop/api/")
    root = GuidelineText("AGENTS.md", rules(30, word="root"))
    found = selected(root, deep)
    assert [file.path for file in found.files] == ["shop/api/AGENTS.md", "AGENTS.md"]
    assert [len(file.rules) for file in found.files] == [30, 9]
    assert [file.scope for file in found.files] == ["shop/api/**", ""]


def test_the_deepest_folder_keeps_room_from_better_rules_above_it() -> None:
    plain = "## Logging\n\n" + "\n".join(f"- Level {n:03} {'z' * 88}" for n in range(60))
    deep = GuidelineText("shop/AGENTS.md", plain, "shop/")
    root = GuidelineText("AGENTS.md", rules(60))
    found = selected(root, deep)
    [of_deep, of_root] = found.files
    assert DEEPEST - 120 < len(of_deep.text) <= DEEPEST
    assert len(of_deep.text) + len(of_root.text) <= BUDGET
    assert len(of_root.rules) > 20


def test_equal_files_and_equal_rules_are_taken_once() -> None:
    text = rules(2)
    found = selected(
        GuidelineText("a/CLAUDE.md", text, "a/"),
        GuidelineText("AGENTS.md", text),
        GuidelineText("other.mdc", text, globs=("*.py",)),
        GuidelineText("b/AGENTS.md", f"{text}\n- Never  use 000 X{'y' * 84}.\n- Never nest.", "b/"),
    )
    assert [file.path for file in found.files] == ["b/AGENTS.md", "AGENTS.md"]
    assert [(len(file.rules), file.total) for file in found.files] == [(3, 4), (0, 2)]
    assert found.text.casefold().count("never use 000") == 1
    assert [file.path for file in found.used] == ["b/AGENTS.md"]


def test_a_last_resort_gives_few_and_clear_rules() -> None:
    found = select(
        [GuidelineText("CONTRIBUTING.md", CONTRIBUTING)], commit=COMMIT, last_resort=True
    )
    assert found.text == "CONTRIBUTING.md \n# Code style\nUse four spaces."
    long = select([GuidelineText("CONTRIBUTING.md", rules(60))], commit=COMMIT, last_resort=True)
    assert LAST_RESORT - 120 < len(long.files[0].text) <= LAST_RESORT


def test_secrets_in_rules_and_headings_are_replaced() -> None:
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    text = f"## Set-up {key}\n\ntext\n\n## Code style {key}\n\n- Never use {key} in code."
    found = selected(GuidelineText("AGENTS.md", text))
    assert key not in found.text
    assert found.text.count("[REDACTED:") == 2
    [dropped] = found.files[0].dropped
    assert dropped.startswith("Set-up [REDACTED:")


def test_the_lines_of_a_key_are_replaced_before_rules_are_selected() -> None:
    lines = "".join(f"* {line}\n" for line in (BEGIN, *BODY[:4], END))
    found = selected(GuidelineText("AGENTS.md", f"## Code style\n\n{lines}"))
    assert [line for line in BODY if line in found.text] == []


def test_without_files_there_are_no_rules_but_problems_are_kept() -> None:
    found = select([], commit=COMMIT, problems=["A.md is larger."])
    assert (found.text, found.rules, found.notices) == ("", (), ("A.md is larger.",))


@pytest.mark.parametrize(
    ("changed", "globs"),
    [
        (["web/app/main.ts"], ("web/**/*.{ts,tsx}", "*.vue")),
        (["web/a.tsx", "b.py"], ("web/**/*.{ts,tsx}", "*.vue")),
        (["deep/in/it.vue"], ("web/**/*.{ts,tsx}", "*.vue")),
        (["web/a.js", "a.ts"], None),
        ([], None),
    ],
)
def test_globs_choose_the_files_that_apply(
    changed: list[str], globs: tuple[str, ...] | None
) -> None:
    file = GuidelineText(".github/instructions/web.instructions.md", COPILOT_TS)
    found = applicable(file, changed)
    assert (found.globs if found else None) == globs
    if found:
        [one] = selected(found).files
        assert one.scope == "web/**/*.{ts,tsx} *.vue"


def cursor(matter: str, path: str = ".cursor/rules/a.mdc") -> GuidelineText:
    return GuidelineText(path, f"---\n{matter}\n---\n- Never nest.")


def test_front_matter_decides_only_in_files_that_have_one_by_convention() -> None:
    assert applicable(cursor("alwaysApply: true"), ["a.py"]) == cursor("alwaysApply: true")
    assert applicable(cursor("description: on demand"), ["a.py"]) is None
    assert applicable(GuidelineText(".cursor/rules/b.mdc", CURSOR_PY), ["x/a.py"]) is not None
    assert applicable(GuidelineText("AGENTS.md", COPILOT_TS), ["a.py"]) is not None
    excluded = 'applyTo: "**"\nexcludeAgent: "code-review"'
    path = ".github/instructions/a.instructions.md"
    assert applicable(cursor(excluded, path), ["a.py"]) is None
    assert applicable(cursor('applyTo: "**"', path), ["a.py"]) is not None


@pytest.mark.parametrize("glob", ["a\\", "[z-a]", "{a,b", "x" + "{a,b}" * 12])
def test_a_glob_that_is_invalid_or_too_long_matches_nothing(glob: str) -> None:
    assert applicable(cursor(f"globs: {glob}"), ["a", "xbbbbbbbbbbbb"]) is None


file_texts = st.lists(
    st.sampled_from(
        ["# T", "## Code style", "## Commands", "- Never a", "- b", "Use c.", "", "```"]
    ),
    max_size=12,
).map("\n".join)


@given(
    st.dictionaries(st.sampled_from(["", "a/", "a/b/", "c/"]), file_texts),
    st.integers(0, 200),
)
def test_no_selection_exceeds_its_budget_or_leaves_the_files(
    files: dict[str, str], budget: int
) -> None:
    texts = {
        f"{folder}A.md": GuidelineText(f"{folder}A.md", files[folder], folder) for folder in files
    }
    found = selected(*texts.values(), budget=budget)
    assert sum(len(f"{file.text}\n") for file in found.used) <= budget
    for rule in found.rules:
        assert rule.quote.split()[0] in texts[rule.path].text.split("\n")[rule.line - 1]
