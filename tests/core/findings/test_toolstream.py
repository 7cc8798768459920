"""The report's JSON text, cut anywhere, to findings: exactly the complete ones, at once."""

from __future__ import annotations

import gc
import json
from types import ModuleType
from typing import Any

import ijson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ijson.backends import python as python_backend

from reviewbot.core.findings import toolstream
from reviewbot.core.findings.toolstream import StreamResult, ToolStream, ToolStreamError

Findings = list[dict[str, Any]]
Case = tuple[str, Findings, str | None, str | None]

BACKENDS: list[ModuleType] = [ijson.get_backend("yajl2_c"), python_backend]

# What json reads back equal in both backends: no lone surrogates, 64-bit integers, finite floats.
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"}],', "\\", "\\\\", '\\"}', "\\ud800", "😀", "[{", "\u2028", "\x00\x1b"]
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
).filter(lambda value: _depth(value) < 10)
_findings = st.lists(st.dictionaries(_texts, _values, max_size=4), max_size=4)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def read(pieces: list[str], backend: ModuleType | None = None) -> tuple[Findings, StreamResult]:
    """Feed until it ends or fails, as the pipeline does; all that was drained, and the verdict."""
    stream, findings = ToolStream(backend=backend), []
    for piece in pieces:
        try:
            stream.feed(piece)
        except ToolStreamError:
            break
        findings += stream.drain()
    report = stream.close()
    return findings + stream.drain(), report


def cut(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def write(findings: Findings, *, ascii_only: bool = True) -> tuple[str, list[int]]:
    """A report, and for each finding how many characters it takes until that is complete."""
    text = '{"findings":['
    ends: list[int] = []
    for finding in findings:
        text += "," if ends else ""
        text += json.dumps(finding, ensure_ascii=ascii_only)
        ends.append(len(text))
    return text + '],"outcome":"complete"}', ends


@given(_findings, st.booleans(), st.sampled_from([None, 0, 1, "\t"]), st.data())
def test_any_report_cut_anywhere_gives_what_json_gives(
    findings: Findings, ascii_only: bool, indent: int | str | None, data: st.DataObject
) -> None:
    text = json.dumps(
        {"findings": findings, "outcome": "complete"}, ensure_ascii=ascii_only, indent=indent
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    for backend in BACKENDS:
        for split in (pieces, [text], list(text)):
            assert read(split, backend) == (findings, StreamResult(True, "complete", None))


@given(_findings, st.booleans())
@example([{"a": "}"}, {"b": "\\"}], True)
def test_each_finding_is_drained_with_its_brace_and_none_before(
    findings: Findings, ascii_only: bool
) -> None:
    text, ends = write(findings, ascii_only=ascii_only)
    for backend in BACKENDS:
        stream = ToolStream(backend=backend)
        for position, character in enumerate(text, start=1):
            stream.feed(character)
            complete = [f for f, end in zip(findings, ends, strict=True) if end == position]
            assert stream.drain() == complete
        assert stream.close().complete


def test_cut_at_every_position_it_yields_the_complete_prefix_and_says_so() -> None:
    findings: Findings = [
        {"path": "a.py", "quote": 'x = "}"\n', "line": 3, "confidence": 0.9},
        {"path": "ü😀.py", "quote": "\\", "suggestion": None, "more": [{"findings": [{}]}]},
        {},
    ]
    text, ends = write(findings)
    for backend in BACKENDS:
        for position in range(len(text)):
            for size in (1, 7, len(text)):
                drained, report = read(cut(text[:position], size), backend)
                assert drained == findings[: sum(end <= position for end in ends)]
                assert not report.complete
                assert report.problem is not None
                assert report.problem.startswith("the report was cut off")


def test_a_cut_says_where() -> None:
    assert read(['{"findings":[{"a":1},{"b":'])[1].problem == "the report was cut off in finding 2"
    assert read(['{"findings":[{"a":1}'])[1].problem == "the report was cut off after 1 finding"
    assert read([])[1].problem == "the report was cut off after 0 findings"


COMPLETE: list[Case] = [
    ('{"findings":[]}', [], None, None),
    ('{"findings":[],"outcome":null}', [], None, None),
    (
        '\ufeff {"outcome":"could_not_review","findings":[{"a":1}]} \n',
        [{"a": 1}],
        "could_not_review",
        None,
    ),
    # Keys that nobody asked for, with findings of their own that are none of ours.
    (
        '{"thoughts":{"findings":[{"x":1}]},"n":[[1,{}]],"findings":[{"a":1}]}',
        [{"a": 1}],
        None,
        None,
    ),
    (
        '{"findings":[{"findings":[{"b":1}],"outcome":"x"}]}',
        [{"findings": [{"b": 1}], "outcome": "x"}],
        None,
        None,
    ),
    # The last of two equal keys counts, as in json.
    ('{"findings":[{"a":1,"a":2}]}', [{"a": 2}], None, None),
    # The array encoded once more.
    (
        '{"findings":"[{\\"a\\":\\"\\\\ud800\\"}]","outcome":"complete"}',
        [{"a": "�"}],
        "complete",
        None,
    ),
    ('{"findings":" []"}', [], None, None),
    # Items that are no findings cost no other.
    (
        '{"findings":[{"a":1},"two",[{"x":3}],{"b":4}],"outcome":5}',
        [{"a": 1}, {"b": 4}],
        None,
        "item 2 of findings is a string, not an object; "
        "item 3 of findings is an array, not an object; outcome is a number, not a string",
    ),
    (
        '{"findings":[null,true,3,4.5,6]}',
        [],
        None,
        "item 1 of findings is null, not an object; item 2 of findings is a boolean, not an "
        "object; item 3 of findings is a number, not an object; and more of this kind",
    ),
    # Half a surrogate pair is no character.
    (
        '{"findings":[{"a":"\\ud800x\\udc00\\ud83d\\ude00\\uD83D\\\\"}]}',
        [{"a": "�x�😀�\\"}],
        None,
        None,
    ),
    ('{"findings":[{"a":"\ud800x\udc00\ud83d\ude00"}]}', [{"a": "�x�😀"}], None, None),
    ('{"findings":[{"a":"\\u0000\\ufeff\ufeff"}]}', [{"a": "\x00\ufeff\ufeff"}], None, None),
    (
        '{"findings":[{"a":9223372036854775807,"b":1e300}]}',
        [{"a": 2**63 - 1, "b": 1e300}],
        None,
        None,
    ),
]

IN_1, IN_2, AFTER_0, AFTER_1 = (
    f"the report cannot be read as JSON {place}"
    for place in ("in finding 1", "in finding 2", "after 0 findings", "after 1 finding")
)
TWICE = "the report says findings or outcome twice"
BEHIND = "text follows the end of the report"
BROKEN: list[Case] = [
    ("{}", [], None, "the report has no findings array"),
    ('{"outcome":"complete"}', [], "complete", "the report has no findings array"),
    ('{"report":{"findings":[{"a":1}]}}', [], None, "the report has no findings array"),
    ("[]", [], None, "the report is an array, not an object"),
    ('[{"a":1}]', [], None, "the report is an array, not an object"),
    ('"findings"', [], None, "the report is a string, not an object"),
    ("null ", [], None, "the report is null, not an object"),
    ('{"findings":{"a":1}}', [], None, "findings is an object, not an array"),
    ('{"findings":null}', [], None, "findings is null, not an array"),
    ('{"findings":"none"}', [], None, AFTER_0),
    ('{"findings":""}', [], None, AFTER_0),
    ('{"findings":"{}"}', [], None, "findings is an object, not an array"),
    ('{"findings":"\\"[]\\""}', [], None, "findings is a string, not an array"),
    ('{"findings":"[{\\"a\\":1},{\\"b"}', [{"a": 1}], None, IN_2),
    ('{"findings":"[] []"}', [], None, AFTER_0),
    ('{"findings":[{"a":1}],"findings":[{"b":2}]}', [{"a": 1}, {"b": 2}], None, TWICE),
    ('{"findings":[{"a":1}],"findings":"[]"}', [{"a": 1}], None, TWICE),
    ('{"findings":[],"outcome":"could_not_review","outcome":"complete"}', [], "complete", TWICE),
    ('{"findings":[{"a":1}]}x', [{"a": 1}], None, BEHIND),
    ('{"findings":[{"a":1}]} {}', [{"a": 1}], None, BEHIND),
    ('{"findings":[{"a":1}]}\x00', [{"a": 1}], None, BEHIND),
    ('{"findings":[{"a":1}]}\\', [{"a": 1}], None, BEHIND),
    ('{"findings":[{"a":1}]}\ud800', [{"a": 1}], None, BEHIND),
    ('{"findings":[{"a":1},{"b":NaN},{}]}', [{"a": 1}], None, IN_2),
    ('{"findings":[{"a":1},{"b":-Infinity}]}', [{"a": 1}], None, IN_2),
    ('{"findings":[{"a":1},{"b":-1e999}]}', [{"a": 1}], None, IN_2),
    ('{"findings":[{"a":9223372036854775808}]}', [], None, IN_1),
    ('{"findings":[{"a":' + "9" * 5000 + "}]}", [], None, IN_1),
    ('{"findings":[{"a":"\x00"}]}', [], None, IN_1),
    ('{"findings":[{"a":"\n"}]}', [], None, IN_1),
    ('{"findings":[{"a":1},]}', [{"a": 1}], None, AFTER_1),
    ("I found no problems in this change, which is " + "very " * 2000 + "tidy.", [], None, AFTER_0),
    ('{"a":' * 17 + "1" + "}" * 17, [], None, "the report is nested too deeply after 0 findings"),
    ('{"findings":[{"a":' + "[" * 9999, [], None, "the report is nested too deeply in finding 1"),
]


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: str(backend.backend_name))
@pytest.mark.parametrize("size", [1, 2, 5, 100_000])
@pytest.mark.parametrize("case", COMPLETE + BROKEN)
def test_every_odd_report_is_judged_the_same_however_it_arrives(
    case: Case, size: int, backend: ModuleType
) -> None:
    text, findings, outcome, problem = case
    complete = case in COMPLETE
    assert read(cut(text, size), backend) == (findings, StreamResult(complete, outcome, problem))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: str(backend.backend_name))
@pytest.mark.parametrize(
    ("limit", "value", "problem"),
    [
        ("MAX_CHARS", 60, "the report is too long"),
        ("MAX_FINDING_CHARS", 30, "finding 3 is too long"),
        ("MAX_FINDINGS", 2, "the report has more than 2 findings"),
    ],
)
def test_bounds_say_what_was_too_much_and_keep_what_was_complete(
    limit: str, value: int, problem: str, backend: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolstream, limit, value)
    text = '{"findings":[{"a":1},{"b":2},{"c":"%s"}]}' % ("long " * 10)
    for size in (1, len(text)):
        findings, report = read(cut(text, size), backend)
        if size == 1 or limit != "MAX_CHARS":
            assert findings == [{"a": 1}, {"b": 2}]
        assert report == StreamResult(False, None, problem)


def test_feeding_after_an_error_raises_the_same_and_changes_nothing() -> None:
    stream = ToolStream()
    with pytest.raises(ToolStreamError, match="in finding 2") as first:
        stream.feed('{"findings":[{"a":1},{"b":oh}')
    with pytest.raises(ToolStreamError) as second:
        stream.feed(',{"c":3}]}')
    assert str(first.value) == str(second.value)
    assert stream.drain() == [{"a": 1}]
    assert stream.drain() == []
    assert stream.close() == stream.close() == StreamResult(False, None, str(first.value))


def test_feeding_a_closed_stream_is_refused() -> None:
    stream = ToolStream()
    stream.feed('{"findings":[]}')
    assert stream.close().complete
    with pytest.raises(ToolStreamError, match="closed already"):
        stream.feed(" ")


def test_no_error_quotes_the_text() -> None:
    stream = ToolStream()
    with pytest.raises(ToolStreamError) as caught:
        stream.feed('{"findings":[{"quote": hunter2 }]}')
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "hunter2" not in repr(error)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: str(backend.backend_name))
def test_a_stream_that_is_dropped_halfway_makes_no_noise(backend: ModuleType) -> None:
    stream = ToolStream(backend=backend)
    stream.feed('{"findings":[{"a":')
    del stream
    gc.collect()  # pytest turns an exception that is ignored in a destructor into a failure


def test_without_the_compiled_backend_the_python_one_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def only_python(name: str) -> ModuleType:
        if name != "python":
            raise ImportError(name)
        return BACKENDS[1]

    monkeypatch.setattr(ijson, "get_backend", only_python)
    assert toolstream._fastest_backend() is python_backend
    assert read(['{"findings":[{"a":1}]}'])[0] == [{"a": 1}]


_pieces_of_json = st.sampled_from(
    [
        '{"findings":[',
        '{"a":1}',
        '{"b":"',
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "d83d",
        "1",
        "-",
        ".5",
        "e9",
        "true",
        "nul",
        "NaN",
        "é",
        '"outcome":',
        '"findings":',
        '"complete"',
        '"[{\\"a\\":1}]"',
        "]}",
        '"}',
        "99999999999",
        " ",
        "\n",
        "\x00",
        "\ud83d",
        "\ude00",
    ]
)


@given(st.lists(_pieces_of_json, max_size=14))
def test_backends_agree_on_any_text_and_on_any_cut_of_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    compiled, pure = (read([text], backend) for backend in BACKENDS)
    # Where yajl stops, Python may go on: it is laxer about numbers, never stricter.
    assert compiled[0] == pure[0][: len(compiled[0])]
    assert not compiled[1].complete or compiled == pure
    for backend, whole in zip(BACKENDS, (compiled, pure), strict=True):
        for split in (pieces, list(text)):
            findings, report = read(split, backend)
            assert (findings, report.complete) == (whole[0], whole[1].complete)


@given(st.lists(_pieces_of_json, max_size=14))
def test_a_report_that_json_refuses_is_never_complete(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        report = json.loads(text)
    except ValueError:
        assert not read([text])[1].complete
    else:
        if read([text])[1].complete:
            assert isinstance(report["findings"], list | str)


def test_text_is_handed_to_the_parser_once_and_in_few_pieces() -> None:
    """Why the time is linear with a parser that copies an unfinished token at every call."""
    sent: list[bytes] = []

    class Counting(ModuleType):
        @staticmethod
        def basic_parse_coro(target: object, *, use_float: bool) -> type[ModuleType]:
            del target, use_float
            return Counting

        @staticmethod
        def send(piece: bytes) -> None:
            sent.append(piece)

        @staticmethod
        def close() -> None: ...

    text = json.dumps({"findings": [{"message": 'x}]"\\\n' * 20_000}] * 3})
    stream = ToolStream(backend=Counting("counting"))
    for piece in cut(text, 8):
        stream.feed(piece)
    stream.close()
    assert b"".join(sent).decode() == text
    assert len(sent) < 30
