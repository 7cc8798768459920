"""The selected rules of a team, as they are stored, shown and sent."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from reviewbot.core.decode import decoder
from reviewbot.core.findings.finding import Guideline
from reviewbot.core.prompt.guidelines import (
    NO_GUIDELINES,
    GuidelineFile,
    Guidelines,
    SelectedRule,
    details,
)

FILES = (
    GuidelineFile(
        "api/AGENTS.md",
        "api/**",
        (SelectedRule(3, "", "Never nest."), SelectedRule(9, "Naming", "Use nouns.")),
        total=5,
        dropped=("Commands",),
    ),
    GuidelineFile("REVIEW.md", "", (SelectedRule(1, "", "Migrations first."),), total=1),
    GuidelineFile("CLAUDE.md", "", (), total=2),
)
RULES = Guidelines("abcdef0" + "1" * 33, FILES, ("B.md is not UTF-8.",))


def test_the_report_names_the_files_that_were_used_and_how_much_of_them() -> None:
    assert RULES.notices == (
        "Rules read from api/AGENTS.md (2 of 5) and REVIEW.md.",
        "B.md is not UTF-8.",
    )
    assert NO_GUIDELINES.notices == ()
    assert replace(RULES, files=(replace(FILES[1], path="a\nb.md"),)).notices[0] == (
        r"Rules read from a\x0ab.md."
    )


def test_the_details_name_the_headings_without_a_selected_rule() -> None:
    assert details(RULES) == (
        *RULES.notices,
        "Headings of api/AGENTS.md without a selected rule: Commands.",
    )
    assert details(NO_GUIDELINES) == ()


def test_rules_have_their_place_in_the_base() -> None:
    assert RULES.rules == (
        Guideline("api/AGENTS.md", 3, "Never nest."),
        Guideline("api/AGENTS.md", 9, "Use nouns."),
        Guideline("REVIEW.md", 1, "Migrations first."),
    )


def test_the_commit_and_what_was_left_out_do_not_affect_the_text() -> None:
    assert RULES.text == (
        "api/AGENTS.md api/**\nNever nest.\n# Naming\nUse nouns.\n\nREVIEW.md \nMigrations first."
    )
    other = replace(RULES, commit="0" * 40, files=FILES[:2], problems=())
    assert other.text == RULES.text


def test_rules_are_stored_as_json() -> None:
    stored = json.loads(json.dumps(asdict(RULES)))
    assert decoder(Guidelines)(stored, "") == RULES
