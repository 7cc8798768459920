"""The offline model: the report it streams, and which lines of a hunk it answers for."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.findings.toolstream import ToolStream
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.core.safety.escape import show_line
from reviewbot.models.base import (
    Answering,
    Stop,
    Stopped,
    ToolInput,
    UsageReport,
)
from reviewbot.models.offline.model import MAX_PER_RULE, OfflineModel
from tests.in_process import parser
from tests.models.hunks import added, chunk, hunk, review, review_chunk
from tests.models.scripted import checked
from tests.support.timing import cpu_at_most

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


FIXTURES = Path(__file__).parents[3] / "fixtures"


def found(path: str, text: str) -> list[tuple[str, int, int]]:
    return [(item["rule"], item["line"], item["end_line"]) for item in review(path, text)]


async def test_the_answer_is_a_complete_report_that_costs_nothing() -> None:
    views = (chunk("a.py", hunk("+eval(x)\n+y = 1")), chunk("b.ts", hunk("+debugger;")))
    events = [e async for e in OfflineModel(parser()).stream(ModelRequest(views, ()), max_tokens=1)]
    stream = ToolStream()
    for event in events:
        if isinstance(event, ToolInput):
            stream.feed(event.text)
    items = stream.drain()
    assert [(item["path"], item["rule"]) for item in items] == [
        ("a.py", "python/eval"),
        ("b.ts", "javascript/debugger"),
    ]
    report = stream.close()
    assert (report.complete, report.outcome, report.problem) == (True, "complete", None)
    assert isinstance(events[0], Answering)
    usage = events[-2]
    assert isinstance(usage, UsageReport)
    assert usage.usage.input == usage.usage.output == 0
    assert events[-1] == Stopped(Stop.COMPLETE)


def test_fields_come_in_the_order_of_the_wire_schema() -> None:
    order = list(REPORT_TOOL["input_schema"]["properties"]["findings"]["items"]["properties"])
    (item,) = review("a.py", "+eval(x)")
    assert list(item) == [*order, "rule"]


async def test_nothing_to_say_is_an_empty_complete_report() -> None:
    request = ModelRequest((chunk("a.py", hunk("+x = 1")),), ())
    texts = [
        e.text
        async for e in OfflineModel(parser()).stream(request, max_tokens=1)
        if isinstance(e, ToolInput)
    ]
    assert json.loads("".join(texts)) == {"findings": [], "outcome": "complete"}


class WatchedHunks:
    """Hunks that remember which thread read them."""

    def __init__(self, *hunks: ShownHunk) -> None:
        self.hunks = hunks
        self.threads: list[int] = []

    def __iter__(self) -> Iterator[ShownHunk]:
        self.threads.append(threading.get_ident())
        return iter(self.hunks)


async def test_a_finding_leaves_before_the_next_chunk_is_scanned_and_the_loop_stays_free() -> None:
    first, second = WatchedHunks(hunk("+eval(x)")), WatchedHunks(hunk("+eval(y)"))
    views = tuple(
        ChunkView("c", "a.py", None, "modified", 1, 1, cast("Any", hunks))
        for hunks in (first, second)
    )
    stream = OfflineModel(parser()).stream(ModelRequest(views, ()), max_tokens=1)
    async for event in stream:
        if isinstance(event, ToolInput) and "python/eval" in event.text:
            break
    assert first.threads
    assert not second.threads
    await stream.aclose()
    assert threading.get_ident() not in first.threads


def test_its_entry_in_the_catalogue_says_offline_and_free() -> None:
    info = OfflineModel(parser()).info
    assert (info.name, info.provider) == ("offline", "offline")
    assert info.prices is None or info.prices.input == 0


def test_only_added_lines_are_reported() -> None:
    assert found("a.py", " eval(a)\n-eval(b)\n+eval(c)\n eval(d)") == [("python/eval", 2, 2)]


def test_a_hunk_that_only_removes_has_no_findings() -> None:
    assert found("a.py", " x = 1\n-eval(b)\n eval(d)") == []


def test_overlap_lines_are_context_whatever_their_kind() -> None:
    assert found("a.py", "~eval(a)\n+eval(b)") == [("python/eval", 2, 2)]


def test_a_match_that_an_added_line_completes_is_reported_whole() -> None:
    code = " r = requests.get(\n     url,\n+    verify=False,\n )"
    assert found("a.py", code) == [("python/tls-verification-off", 1, 4)]


def test_a_long_match_is_reported_on_its_first_line() -> None:
    body = "\n".join(f"+  await f(x, {number});" for number in range(8))
    assert found("a.ts", f"+xs.forEach(async (x) => {{\n{body}\n+}});") == [
        ("javascript/async-foreach", 1, 1)
    ]


def test_a_long_match_of_old_code_is_not_blamed_on_a_line_added_inside() -> None:
    body = "\n".join(f"   await f(x, {number});" for number in range(8))
    assert found("a.ts", f" xs.forEach(async (x) => {{\n{body}\n+  g();\n }});") == []


def test_line_numbers_are_those_of_the_new_file() -> None:
    (item,) = review("a.py", " x = 1\n-y = 2\n+eval(c)", start=40)
    assert (item["side"], item["line"], item["end_line"]) == ("RIGHT", 41, 41)
    assert item["quote"] == "eval(c)"


def test_one_rule_speaks_once_a_line() -> None:
    assert found("a.py", "+f(eval(a), eval(b), eval(eval(c)))") == [("python/eval", 1, 1)]


def test_repetitions_are_counted_in_the_last_finding_not_listed_or_lost() -> None:
    items = review("a.py", "\n".join(f"+eval(a{number})" for number in range(60)))
    assert len(items) == MAX_PER_RULE
    assert items[-1]["line"] == MAX_PER_RULE
    named = ", ".join(str(number) for number in range(21, 41))
    assert items[-1]["message"].endswith(f"The same is on line {named} and 20 more.")


@pytest.mark.parametrize(
    ("path", "code", "rule"),
    [
        ("a.py", "eval(x)", "python/eval"),
        ("a.pyi", "eval(x)", "python/eval"),
        ("A.PY", "eval(x)", "python/eval"),
        ("a.js", "debugger;", "javascript/debugger"),
        ("a.mjs", "debugger;", "javascript/debugger"),
        ("a.cjs", "debugger;", "javascript/debugger"),
        ("a.jsx", "const a = <b>{x === NaN}</b>;", "javascript/nan-comparison"),
        ("a.ts", "const a: number = x as any === NaN;", "javascript/nan-comparison"),
        ("a.mts", "debugger;", "javascript/debugger"),
        ("a.cts", "debugger;", "javascript/debugger"),
        ("a.tsx", "const a: X = <b>{x === NaN}</b>;", "javascript/nan-comparison"),
    ],
)
def test_the_extension_decides_the_grammar(path: str, code: str, rule: str) -> None:
    assert [name for name, *_ in found(path, f"+{code}")] == [rule]


@pytest.mark.parametrize("path", ["a.txt", "eval", "py", "a.rs", ".py", "a.py.orig"])
def test_other_files_get_the_checks_without_grammar_only(path: str) -> None:
    assert found(path, "+eval(x)\n+debugger;\n+<<<<<<< HEAD") == [("any/conflict-marker", 3, 3)]


def test_rules_keep_out_of_paths_they_ignore_and_in_those_they_are_for() -> None:
    assert found("tests/a.py", "+eval(x)") == found("test_a.py", "+eval(x)") == []
    assert found("src/a.ts", "+it.only('x', f);") == []
    assert found("src/a.test.ts", "+it.only('x', f);") == [("javascript/focused-tests", 1, 1)]


def test_no_configuration_of_the_reviewed_repository_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sgconfig.yml").write_text("ruleDirs: [rules]\n", "utf-8")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "python.yml").write_text("id: [broken", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert found("a.py", "+eval(x)") == [("python/eval", 1, 1)]


@pytest.mark.parametrize(
    "prefix",
    [
        "a = 'é'; ",
        "a = '😀😀'; ",
        "a = '\udcff\udc80'; ",
        "a = '\x00\x85\u2028'; ",
        "a = '\u202e'; ",
    ],
)
def test_columns_count_characters_so_that_a_suggestion_fits(prefix: str) -> None:
    items = review("a.py", f"+{prefix}assert (b, 'c')")
    item = next(item for item in items if item["rule"] == "python/assert-tuple")
    assert item["suggestion"] == f"{prefix}assert b, 'c'"
    assert item["quote"] == show_line(f"{prefix}assert (b, 'c')")


def test_a_suggestion_for_windows_lines_has_no_carriage_returns() -> None:
    items = review("a.py", "+assert (\r\n+    b,\r\n+    'c',\r\n+)\r\n+x = 1\r")
    assert items[0]["suggestion"] == "assert b, 'c'"


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)",
        "\teval(x)\r",
        "eval('\udcff' + x)",
        "eval('\u202e' + x)",
        "x = '" + "a" * 30_000 + "'; eval(y)",
    ],
)
def test_the_quote_leads_back_to_the_line(line: str) -> None:
    view = chunk("a.py", hunk(f" before = 1\n+{line}\n after = 2"))
    for item in review_chunk(view):
        draft = checked(json.loads(json.dumps(item)))
        anchor = AnchorIndex([view]).find(draft.path, draft.quote, draft.side, draft.line)
        assert anchor is not None
        assert (anchor.line, anchor.end_line) == (2, 2)


def test_source_in_a_message_is_short_and_cannot_leave_its_code_span() -> None:
    (item,) = review("a.py", f"+assert (f'`{{x}}` {'long ' * 50}', 'reason')")
    assert "'{x}'" in item["scenario"]
    assert item["scenario"].count("`") == 2
    assert len(item["scenario"]) < 250


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clean.diff", []),
        (
            "demo.diff",
            [
                ("shop/orders.py", 35, "python/sql-injection"),
                ("shop/orders.py", 46, "python/mutate-while-iterating"),
                ("shop/orders.py", 59, "python/shell-injection"),
                ("shop/sync.py", 19, "python/blocking-in-async"),
                ("web/src/cart.ts", 13, "javascript/async-foreach"),
                ("web/src/cart.ts", 20, "javascript/typeof-typo"),
                ("web/src/cart.ts", 24, "javascript/inner-html"),
            ],
        ),
    ],
)
def test_the_fixtures_hold_what_was_planted_and_no_more(
    name: str, expected: list[tuple[str, int, str]]
) -> None:
    results = []
    for file in parse_diff((FIXTURES / name).read_bytes()):
        hunks = [
            ShownHunk(h.old_start, h.new_start, "", tuple(h.lines), (True,) * len(h.lines))
            for h in file.hunks
        ]
        results += [
            (item["path"], item["line"], item["rule"])
            for item in review_chunk(chunk(file.path, *hunks))
        ]
    assert results == expected


SIGNS = [
    "'",
    '"""',
    "`",
    "${",
    "{",
    "}",
    "//",
    "/*",
    "*/",
    "#",
    "\r",
    "\x00",
    "    ",
    "😀",
    "\u202e",
]
CODE = ["eval(", "x", ")", "assert (a, 'b')", "if (a = b) {", "except:", "pass", "else:", "try:"]
MORE = [" is 1", "for x in y:", "del y[x]", "finally:", "return 1", "\u200b", "\udc80", "<<<<<<< a"]
PIECES = st.sampled_from([*SIGNS, *CODE, *MORE])
TEXTS = st.lists(PIECES, max_size=8).map("".join)
ROWS = st.lists(st.tuples(st.sampled_from(" +-~"), TEXTS), min_size=1, max_size=12)


@given(ROWS, st.sampled_from(["a.py", "a.js", "a.ts", "a.tsx", "a.md"]))
def test_whatever_the_text_findings_are_valid_and_on_fresh_lines(
    rows: Sequence[tuple[str, str]], path: str
) -> None:
    view = chunk(path, hunk("\n".join(mark + text for mark, text in rows)))
    lines = {
        line.new_no: (line.text, owned and line.kind == "added")
        for line, owned in zip(view.hunks[0].lines, view.hunks[0].owned, strict=True)
    }
    for item in review_chunk(view):
        draft = checked(json.loads(json.dumps(item)))
        covered = [lines[number] for number in range(draft.line, draft.end_line + 1)]
        assert draft.quote == "\n".join(show_line(text) for text, _ in covered)
        assert any(fresh for _, fresh in covered)


HOSTILE = {
    "py": [
        "eval(" * 4000,
        "eval(" * 3000 + "x" + ")" * 3000,
        "eval(a) + " * 2000 + "b",
        "try: x\nexcept (" + "a or " * 4000 + "b): pass",
        "for x in y:\n  a.append(" + "lambda: " * 2500 + "x)",
        "\n".join(" " * (i % 300) + "else:" for i in range(300)),
        "\"\"\"\n'''\n" * 2500,
        "([{" * 7000,
        ")]}" * 7000,
        ")" + " " * 20_000 + ")",
    ],
    "ts": [
        "eval(" * 4000,
        "try{}finally{return 1;" * 900,
        "new Promise(async()=>{await x;" * 600 + "})" * 600,
        "otp = " * 3500 + "Math.random()",
        "if(a=b)" * 2800,
        "a.indexOf(b)?" * 1500,
        "/*/" * 7000,
        "`${" * 7000,
        "a<b<c," * 3500,
        "}," * 10_000,
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("extension", list(HOSTILE))
def test_hostile_nesting_costs_no_more_than_a_moment(extension: str) -> None:
    for code in HOSTILE[extension]:
        view = added(f"a.{extension}", code)
        # Each took more than this, up to 20 times, before its cause was removed.
        with cpu_at_most(40):
            review_chunk(view)
