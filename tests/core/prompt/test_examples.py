"""The examples obey the rules that they are there to show."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any, get_args

import jsonschema
import pytest

from reviewbot.core.diff.numbered_line import NumberedLine, parse_line
from reviewbot.core.diff.parse import DiffLine, FileStatus
from reviewbot.core.findings.draft import Draft, parse_draft
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.plan.languages import language_of
from reviewbot.core.prompt.examples import (
    Example,
    choose_examples,
    example_identifiers,
    example_sets,
)
from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.prompt.request import ManifestEntry

ALL = {
    f"{name}-{kind}-{number}": example
    for name, each in example_sets().items()
    for kind, examples in (("finding", each.findings), ("clean", each.clean))
    for number, example in enumerate(examples)
}
every_example = pytest.mark.parametrize("example", ALL.values(), ids=ALL.keys())
every_finding = pytest.mark.parametrize(
    "example",
    [e for name, e in ALL.items() if "finding" in name],
    ids=[name for name in ALL if "finding" in name],
)


def drafts(example: Example) -> list[Draft]:
    return [parse_draft(item) for item in json.loads(example.answer)["findings"]]


def numbered(example: Example) -> list[NumberedLine]:
    return [line for line in map(parse_line, example.shown.split("\n")) if line is not None]


def changed(mark: str, old: int, new: int, text: str) -> DiffLine:
    if mark == "+":
        return DiffLine("added", None, new, text)
    return (
        DiffLine("removed", old, None, text) if mark == "-" else DiffLine("context", old, new, text)
    )


def as_hunk(text: str) -> ShownHunk:
    """The hunk that ``text`` shows, numbered anew from its first lines."""
    heading, *rows = text.split("\n")
    parsed = [line for line in map(parse_line, rows) if line is not None]
    assert len(parsed) == len(rows)
    new = next(line.number for line in parsed if line.side == "R")
    removed = next((index for index, line in enumerate(parsed) if line.side == "L"), None)
    # Context before the first removed line has old numbers that are not shown.
    old = new
    if removed is not None:
        old = parsed[removed].number - sum(line.mark == " " for line in parsed[:removed])
    lines: list[DiffLine] = []
    for line in parsed:
        lines.append(changed(line.mark, old, new, line.text))
        old, new = old + (line.mark != "+"), new + (line.mark != "-")
    section = json.loads(heading.removeprefix("hunk in ")) if heading != "hunk" else ""
    return ShownHunk(0, 0, section, tuple(lines), (True,) * len(lines))


def as_chunk(example: Example) -> ChunkView:
    heading, *hunks = example.shown.split("\n--- ")
    match = re.fullmatch(r'=== file ("[^"]+"), ([a-z-]+)', heading)
    assert match is not None
    rules = [hunk for hunk in hunks if hunk.startswith("instructions")]
    return ChunkView(
        id="c1",
        path=json.loads(match[1]),
        old_path=None,
        status=next(status for status in get_args(FileStatus) if status == match[2]),
        part=1,
        parts=1,
        hunks=tuple(as_hunk(hunk) for hunk in hunks if hunk not in rules),
        instructions=tuple(json.loads(rule.partition(": ")[2]) for rule in rules),
    )


@every_example
def test_an_example_is_what_the_renderer_makes_of_its_change(example: Example) -> None:
    assert list(chunk_lines(as_chunk(example))) == example.shown.split("\n")


@every_example
def test_an_answer_is_valid_tool_input(example: Example) -> None:
    answer = json.loads(example.answer)
    jsonschema.validate(answer, REPORT_TOOL["input_schema"])
    assert answer["outcome"] == "complete"
    assert [file["path"] for file in answer["files"]] == [as_chunk(example).path]
    assert all(1 < len(file["change"].split()) <= 12 for file in answer["files"])
    fields = REPORT_TOOL["input_schema"]["properties"]["findings"]["items"]["required"]
    assert all(list(item) == fields for item in answer["findings"])


@every_finding
def test_a_finding_quotes_whole_changed_lines_that_occur_once(example: Example) -> None:
    for draft in drafts(example):
        quote = draft.quote.split("\n")
        side = [line for line in numbered(example) if line.side == draft.side[0]]
        at = [i for i in range(len(side)) if [s.text for s in side[i : i + len(quote)]] == quote]
        assert len(at) == 1
        quoted = side[at[0] : at[0] + len(quote)]
        assert [line.number for line in quoted] == list(range(draft.line, draft.end_line + 1))
        assert any(line.mark != " " for line in quoted)


@every_finding
def test_a_finding_passes_the_gates_that_the_pipeline_has_by_default(example: Example) -> None:
    for draft in drafts(example):
        assert draft.confidence in (0.7, 0.9)  # of the prompt's three, those shown inline
        assert draft.path == as_chunk(example).path


@every_finding
def test_a_finding_keeps_to_the_form_that_the_prompt_asks_for(example: Example) -> None:
    for draft in drafts(example):
        assert re.fullmatch(r"When .+\bline \d+ .+, so .+\.", draft.scenario)
        assert len(draft.title) <= 80
        assert 1 <= len(re.findall(r"[.?!](?:\s|$)", draft.message)) <= 4
        if draft.suggestion is not None:
            assert draft.side == "RIGHT"
            assert draft.end_line - draft.line < 6
            assert draft.suggestion != draft.quote


@every_finding
def test_a_suggestion_uses_only_names_that_are_shown(example: Example) -> None:
    known = set(re.findall(r"\w+", example.shown))
    for draft in drafts(example):
        assert set(re.findall(r"\w+", draft.suggestion or "")) <= known


@every_finding
def test_documented_behaviour_is_named_where_the_evidence_rests_on_it(example: Example) -> None:
    for draft in drafts(example):
        assert ("(" in draft.message and ")" in draft.message) or draft.confidence == 0.9


@every_example
def test_the_deciding_line_is_named_in_one_sentence(example: Example) -> None:
    assert len(re.findall(r"[.?!](?:\s|$)", example.decided_by)) == 1
    named = {int(number) for number in re.findall(r"lines? (\d+)", example.decided_by)}
    assert named <= {line.number for line in numbered(example)}
    assert named


@every_example
def test_identifiers_are_whole_rare_words_of_the_example(example: Example) -> None:
    words = set(re.findall(r"\w+", example.shown))
    assert example.identifiers
    assert all(re.fullmatch(r"\w{6,}", name) for name in example.identifiers)
    assert set(example.identifiers) <= words


def test_no_two_examples_share_an_identifier() -> None:
    listed = list(chain.from_iterable(example.identifiers for example in ALL.values()))
    assert len(listed) == len(set(listed))
    assert example_identifiers() == set(listed)


def test_each_set_has_as_many_cases_without_a_finding_as_with() -> None:
    for name, each in example_sets().items():
        rules = 1 if name == "general" else 0  # the broken rule of a repository
        assert len(each.findings) == len(each.clean) + rules
        assert all(drafts(example) for example in each.findings)
        assert not any(drafts(example) for example in each.clean)


def test_no_language_has_two_sets_and_every_one_is_known_by_a_file_name() -> None:
    languages = list(chain.from_iterable(each.languages for each in example_sets().values()))
    assert len(languages) == len(set(languages))
    extensions = (
        "c",
        "cc",
        "cs",
        "go",
        "java",
        "js",
        "kt",
        "py",
        "rs",
        "scala",
        "sh",
        "sql",
        "ts",
        "tsx",
    )
    assert set(languages) == {language_of(f"a.{extension}") for extension in (*extensions, "yml")}


def entry(path: str, lines: int = 1, **fields: Any) -> ManifestEntry:
    return ManifestEntry(path, "modified", lines, 0, **{"shown": True, **fields})


def test_two_examples_are_chosen_one_of_them_without_a_finding() -> None:
    for manifest in ([], [entry("a.py")], [entry("a.go", 3), entry("b.rs", 2), entry("c.c", 9)]):
        chosen = choose_examples(manifest)
        assert [bool(drafts(example)) for example in chosen] == [True, False]


def test_a_broken_rule_is_shown_only_to_a_repository_with_rules() -> None:
    rule = example_sets()["general"].findings[0]
    assert rule not in choose_examples([entry("a.py")])
    assert choose_examples([entry("a.py")], has_rules=True)[2:] == (rule,)


def test_the_two_languages_with_most_changed_lines_are_shown() -> None:
    sets = example_sets()
    first, second = choose_examples([entry("a.go", 3), entry("b.rs", 2), entry("c.c", 9)])
    assert (first, second) == (sets["cpp"].findings[0], sets["go"].clean[0])


def test_one_language_gives_both_of_its_examples() -> None:
    sets = example_sets()
    first, second = choose_examples([entry("x/a.py"), entry("README.md", 99)])
    assert (first, second) == (sets["python"].findings[0], sets["python"].clean[0])


def test_languages_with_as_many_lines_are_taken_in_order_of_name() -> None:
    assert choose_examples([entry("a.rs"), entry("b.go")]) == choose_examples(
        [entry("b.go"), entry("a.rs")]
    )


def test_files_that_are_not_shown_choose_nothing() -> None:
    hidden = [entry("a.py", 100, shown=False), entry("b.zig")]
    assert choose_examples(hidden) == choose_examples([])
