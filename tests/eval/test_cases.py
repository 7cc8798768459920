"""Cases as lines of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.errors import SourceError
from reviewbot.eval.cases import Case, Golden, read_cases, write_cases
from tests.support.evaluations import added, case, golden
from tests.support.forks import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_written_cases_are_read_again(tmp_path: Path) -> None:
    cases = (
        case("one", golden(1, 3, severity="error", text="Wrong.", side="LEFT")),
        case("two", golden(2, optional=True), repository="o/r", base="1a", head="2b"),
    )
    path = tmp_path / "cases.jsonl"
    path.write_text(write_cases(cases), "utf-8")
    assert read_cases(path) == cases


def test_bytes_that_are_not_utf_8_survive(tmp_path: Path) -> None:
    data = added(lines=1).encode().replace(b"line_1", b"caf\xe9")
    text = data.decode("utf-8", "surrogateescape")
    path = tmp_path / "cases.jsonl"
    path.write_text(write_cases([Case("latin", text)]), "utf-8")
    assert read_cases(path)[0].data == data


def test_the_digest_changes_with_the_golden_comments() -> None:
    assert case("one", golden(1)).digest != case("one", golden(2)).digest
    assert case("one", golden(1)).digest == case("one", golden(1)).digest


def line(**changes: Any) -> str:
    return json.dumps({"id": "one", "diff": added(lines=1)} | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 2: Expecting"),
        ("[]", "line 2: .*not an object"),
        (line(id=""), "line 2: id must not be empty"),
        (line(diff=""), "line 2: diff must not be empty"),
        (line(diff="no diff"), "line 2: diff: "),
        (line(diff="\ud800"), "line 2: diff: "),
        (line(golden=[{"path": "a.py", "line": 2, "end_line": 1}]), "golden.0: .*2..1"),
        (line(golden=[{"path": "a.py", "line": 0, "end_line": 1}]), "golden.0: .*0..1"),
        (line(golden=[{"path": "a.py", "line": 1}]), "golden.0.end_line is missing"),
        (
            line(golden=[{"path": "a", "line": 1, "end_line": 1, "severity": "bad"}]),
            "golden.0.severity is 'bad', not 'error' or 'warning' or 'note'",
        ),
        (line(id="first"), "the id 'first' is used twice"),
    ],
)
def test_an_invalid_case_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{line(id='first')}\n{text}\n", "utf-8")
    with pytest.raises(SourceError, match=message) as caught:
        read_cases(path)
    assert str(caught.value).startswith("cases.jsonl: ")


def test_a_file_without_cases_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n", "utf-8")
    with pytest.raises(SourceError, match="no cases"):
        read_cases(path)
    with pytest.raises(SourceError, match="cannot read"):
        read_cases(tmp_path / "missing.jsonl")


def test_the_fixture_has_found_missed_and_clean_cases() -> None:
    cases = read_cases(ROOT / "fixtures" / "eval" / "cases.jsonl")
    assert sum(not one.golden for one in cases) == 2
    assert all(isinstance(golden, Golden) for one in cases for golden in one.golden)
