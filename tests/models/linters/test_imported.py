"""Results of another tool: SARIF and rdjson, read as hostile data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.safety.safe_text import safe_line, safe_markdown
from reviewbot.errors import SourceError
from reviewbot.models.linters.imported import (
    MAX_BYTES,
    MAX_RESULTS,
    ImportedHit,
    read_results,
)

PATHS = {"src/a.py", "a b.py"}


def sarif_result(**fields: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3, "endLine": 4}}
    return {
        "ruleId": "R1",
        "level": "error",
        "message": {"text": "Title.\nMore."},
        "locations": [{"physicalLocation": place}],
        **fields,
    }


def at(uri: str, **region: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": uri}, "region": region or {"startLine": 3}}
    return {"locations": [{"physicalLocation": place}]}


def sarif(*results: object, rules: list[Any] | None = None) -> bytes:
    driver = {"name": "Some Tool", "rules": rules or []}
    run = {"tool": {"driver": driver}, "results": results}
    return json.dumps({"version": "2.1.0", "runs": [run]}).encode()


def rdjson(*results: object, **fields: Any) -> bytes:
    return json.dumps({"source": {"name": "tool"}, "diagnostics": results, **fields}).encode()


def rdjson_result(**fields: Any) -> dict[str, Any]:
    span = {"start": {"line": 3, "column": 1}, "end": {"line": 4}}
    return {
        "message": "Title.",
        "location": {"path": "src/a.py", "range": span},
        "severity": "WARNING",
        "code": {"value": "R1", "url": "https://example.com"},
        **fields,
    }


def read(data: bytes) -> tuple[ImportedHit, ...]:
    return read_results(data, PATHS)


def test_a_result_of_sarif_keeps_its_place_rating_and_text() -> None:
    expected = ImportedHit(
        path="src/a.py",
        line=3,
        end_line=4,
        rule="imported/Some-Tool/R1",
        severity="error",
        category="bug",
        title="Title.",
        message="More.",
    )
    assert read(sarif(sarif_result())) == (expected,)


def test_a_result_of_rdjson_keeps_its_place_rating_and_text() -> None:
    expected = ImportedHit(
        path="src/a.py",
        line=3,
        end_line=4,
        rule="imported/tool/R1",
        severity="warning",
        category="bug",
        title="Title.",
        message="",
    )
    assert read(rdjson(rdjson_result())) == (expected,)


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert len(read(b"\xef\xbb\xbf" + rdjson(rdjson_result()))) == 1


@pytest.mark.parametrize(
    ("rule", "fields", "severity"),
    [
        ({}, {"level": "note"}, "note"),
        ({}, {"level": None}, "warning"),
        ({"defaultConfiguration": {"level": "error"}}, {"level": None}, "error"),
        ({"defaultConfiguration": {"level": "error"}}, {"level": "warning"}, "warning"),
    ],
)
def test_the_rating_of_sarif_is_that_of_the_result_or_of_its_rule(
    rule: dict[str, Any], fields: dict[str, Any], severity: str
) -> None:
    data = sarif(sarif_result(**fields), rules=[{"id": "R0"}, {"id": "R1", **rule}])
    assert [hit.severity for hit in read(data)] == [severity]


def test_a_rule_can_be_named_by_its_number() -> None:
    result = sarif_result(ruleIndex=1, message={})
    del result["ruleId"]
    rules = [
        {"id": "R0"},
        {
            "id": "R9",
            "shortDescription": {"text": "Short."},
            "properties": {"tags": ["security"]},
        },
    ]
    (hit,) = read(sarif(result, rules=rules))
    assert (hit.rule, hit.title, hit.category) == ("imported/Some-Tool/R9", "Short.", "security")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "pass"},
        {"level": "none"},
        {"suppressions": [{"kind": "inSource"}]},
        {"locations": []},
        at("other.py"),
        at("src/a.py", charOffset=7),
        {"locations": [{"physicalLocation": {"artifactLocation": {"index": 0}}}]},
    ],
)
def test_results_that_are_none_of_the_diff_are_left_out(fields: dict[str, Any]) -> None:
    assert read(sarif(sarif_result(**fields))) == ()


def test_a_result_of_rdjson_without_a_line_is_left_out() -> None:
    assert read(rdjson(rdjson_result(location={"path": "src/a.py"}))) == ()


@pytest.mark.parametrize(("uri", "path"), [("./src//a.py", "src/a.py"), ("a%20b.py", "a b.py")])
def test_a_path_is_read_as_the_diff_has_it(uri: str, path: str) -> None:
    assert [hit.path for hit in read(sarif(sarif_result(**at(uri))))] == [path]


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../a.py", "src/../../a.py", "file:///src/a.py", "C:/a.py", "C:\\a.py"),
        *("\\\\host\\a.py", "", "//host/a.py", "https://example.com/a.py", "%2e%2e/a.py", "a\0b"),
    ],
)
def test_a_path_outside_the_repository_is_refused(path: str) -> None:
    with pytest.raises(SourceError, match="must be relative to the repository"):
        read(sarif(sarif_result(**at(path))))


@pytest.mark.parametrize(
    "lines", [(0, 1), (-1, 1), (2, 1), (1, 10**9), ("1", 1), (1.0, 1), (True, 1), (None, 1)]
)
def test_impossible_lines_are_invalid(lines: tuple[Any, Any]) -> None:
    region = {"startLine": lines[0], "endLine": lines[1]}
    with pytest.raises(SourceError, match="result 2 of the file to import is invalid"):
        read(sarif(sarif_result(), sarif_result(**at("src/a.py", **region))))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1" + b"0" * 5_000 + b"]", "is not JSON"),
        (b"[]", "must be SARIF 2.1.0 or rdjson"),
        (b"{}", "must be SARIF 2.1.0 or rdjson"),
        (b'{"version": "1.0.0", "runs": []}', "must be SARIF 2.1.0 or rdjson"),
        (b'{"version": "2.1.0", "runs": 7}', "result 1 .* is invalid"),
        (b'{"version": "2.1.0", "runs": [{}]}', "result 1 .* is invalid"),
        (b'{"diagnostics": [{}]}', "result 1 .* is invalid"),
        (rdjson(rdjson_result(), 7), "result 2 .* is invalid"),
        (b" " * (MAX_BYTES + 1), "must not be larger than 10,000,000 bytes"),
    ],
)
def test_a_bad_file_is_one_clear_sentence(data: bytes, problem: str) -> None:
    with pytest.raises(SourceError, match=problem) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_too_many_results_are_refused() -> None:
    assert len(read(rdjson(*[rdjson_result()] * MAX_RESULTS))) == MAX_RESULTS
    with pytest.raises(SourceError, match="must not have more than 5,000 results"):
        read(rdjson(*[rdjson_result()] * (MAX_RESULTS + 1)))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("python/eval", "imported/tool/python-eval"),
        ("a b\n<b>", "imported/tool/a-b-b"),
        ("é", "imported/tool/unnamed"),
        ("x" * 500, "imported/tool/" + "x" * 80),
    ],
)
def test_a_rule_cannot_pass_for_one_of_ours(name: str, rule: str) -> None:
    assert [hit.rule for hit in read(rdjson(rdjson_result(code={"value": name})))] == [rule]


def test_links_are_dropped_and_mentions_do_not_act() -> None:
    text = (
        "See [the docs](https://evil.example).\nAsk @admin <img src=x> ![a](https://evil.example/b)"
    )
    (hit,) = read(rdjson(rdjson_result(message=text)))
    assert hit.title == "See the docs."
    assert "evil.example" not in hit.message
    assert "`@admin`" in hit.message
    assert "`<img" in hit.message


@given(st.text(st.sampled_from("ab `*_[]()<>@#!\n\x1b\u202e:/.~-"), max_size=300))
def test_texts_are_safe_whatever_they_are(text: str) -> None:
    (hit,) = read(rdjson(rdjson_result(message=text)))
    assert hit.title == safe_line(hit.title)
    assert hit.message == safe_markdown(hit.message, link_hosts=())
