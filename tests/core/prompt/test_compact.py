"""The compact prompt: short rules and one example, in the form of the full prompt."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt.examples import choose_examples
from reviewbot.core.prompt.request import ManifestEntry, ModelRequest, PromptProfile, render
from reviewbot.models.tokens import encoding
from tests.prompt_requests import CONTINUATION, MANIFEST, REQUEST

LOCAL_PER_O200K = 1.2
"""Of the tokenizers of local models, rather high."""

COMPACT = render(REQUEST, profile="compact")
FULL = render(REQUEST)


def tokens(text: str) -> float:
    return len(encoding().encode_ordinary(text)) * LOCAL_PER_O200K


def test_the_compact_rules_have_at_most_450_tokens() -> None:
    assert tokens(COMPACT.system) <= 450


def test_one_example_shows_a_finding_in_the_language_with_the_most_changed_lines() -> None:
    [example] = re.findall(r"<example>\n(.*?)\n</example>", COMPACT.shared, re.DOTALL)
    first = choose_examples(MANIFEST)[0]
    assert example.startswith(first.shown)
    assert '"severity"' in first.answer


def test_the_chunks_and_the_task_are_those_of_the_full_prompt() -> None:
    assert COMPACT.body == FULL.body
    as_text = render(CONTINUATION, as_text=True, profile="compact")
    assert as_text.body == render(CONTINUATION, as_text=True).body


def test_the_compact_rules_show_the_line_format_of_the_full_ones() -> None:
    block = COMPACT.system.split("```")[1]
    assert block == FULL.system.split("```")[1]
    assert [line.mark for line in map(parse_line, block.strip().split("\n")) if line] == [
        " ",
        "-",
        "+",
    ]


def test_the_compact_rules_explain_what_the_tool_leaves_to_them() -> None:
    properties = REPORT_TOOL["input_schema"]["properties"]
    outcomes = properties["outcome"]["enum"]
    for value in (*SEVERITIES, *outcomes, REPORT_TOOL["name"]):
        assert f"`{value}`" in COMPACT.system
    for confidence in ("0.9", "0.7", "0.5"):
        assert f"{confidence} if it" in COMPACT.system or f"{confidence} if the" in COMPACT.system
    told = [field for field in ("severity", "confidence") if f"- `{field}`: " in COMPACT.system]
    assert told == ["severity", "confidence"]


@pytest.mark.parametrize("profile", ["full", "compact"])
def test_a_request_decides_how_many_examples_the_prompt_has(profile: PromptProfile) -> None:
    shared = [render(replace(REQUEST, examples=most), profile=profile).shared for most in (0, 1, 3)]
    assert [text.count("<example>") for text in shared] == [0, 1, 3]
    assert "examples>" not in shared[0]
    assert render(replace(REQUEST, examples=3)) == FULL
    assert render(replace(REQUEST, examples=1), profile="compact") == COMPACT


@pytest.mark.parametrize("profile", ["full", "compact"])
def test_instructions_and_changed_paths_are_in_each_profile(profile: PromptProfile) -> None:
    shared = render(REQUEST, profile=profile).shared
    assert "Money is Decimal" in shared
    assert all(f'"{entry.path}" ' in shared for entry in MANIFEST)


def test_a_large_pull_request_lists_fewer_paths_in_the_compact_prompt() -> None:
    files = tuple(
        ManifestEntry(f"src/{number:04}/module.py", "modified", 1, 1, shown=True)
        for number in range(1_400)
    )
    listed = render(ModelRequest((), files), profile="compact").shared
    paths = listed.partition("<changed_files>\n")[2]
    assert len(paths) < 1_800
    count = paths.count(" modified ")
    assert f"\nand {1_400 - count} more, of which 0 not shown\n" in paths


@pytest.mark.parametrize("profile", ["full", "compact"])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_last_line_does_not_offer_an_empty_list(profile: PromptProfile, as_text: bool) -> None:
    last = render(REQUEST, as_text=as_text, profile=profile).body.split("\n")[-1]
    assert REPORT_TOOL["name"] in last
    assert "empty" not in last
    assert "none" not in last
