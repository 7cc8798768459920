"""Context around a change: it fills room that is there, changes no plan, and helps the rules."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.config.settings import Settings, load_settings
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.diff.widen import new_content
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.plan.chunk_view import view
from reviewbot.core.prompt.request import ModelRequest, render
from reviewbot.models.linters.programs import find_programs
from reviewbot.pipeline.context import ContextLimits, ContextPlanner
from reviewbot.pipeline.prepare import Prepared, prepare
from tests.models.hunks import review_chunk
from tests.support.examples import examples

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "claude-sonnet-5-5"
LINES = [f"value_{number} = {number}" for number in range(1, 201)]


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def changed(*numbers: int, by: str = "changed = True", of: list[str] = LINES) -> str:
    return text_of([by if number in numbers else line for number, line in enumerate(of, 1)])


PLAIN = text_of(LINES)


def diff_of(old: dict[str, str], new: dict[str, str], header: str = "") -> bytes:
    """The diff between two trees; ``header`` stands in that of each file."""
    rows: list[str] = []
    for path in sorted(old.keys() | new.keys()):
        before, after = (tree.get(path, "").splitlines(keepends=True) for tree in (old, new))
        rows.append(f"diff --git a/{path} b/{path}\n")
        rows += [] if path in old else ["new file mode 100644\n"]
        rows += [] if path in new else ["deleted file mode 100644\n"]
        rows.append(header)
        sides = (f"a/{path}" if path in old else "/dev/null", f"b/{path}")
        rows += difflib.unified_diff(before, after, *sides)
    return "".join(rows).encode()


def set_to(folder: Path | str = "/nowhere", **values: Any) -> Settings:
    flags = {"model": MODEL, "state_dir": str(folder), **values}
    return load_settings(flags=flags, env={"ANTHROPIC_API_KEY": "unused"})


def around(diff: bytes, limits: ContextLimits | None = None, **values: Any) -> ContextPlanner:
    return ContextPlanner(parse_diff(diff), set_to(**values), "", limits or ContextLimits())


def shown(diff: bytes, new: dict[str, str], **values: Any) -> bytes | None:
    contents = {path: text.encode() for path, text in new.items()}
    return around(diff, **values).shown(contents)


def spans(diff: bytes | None) -> dict[str, list[tuple[int, int]]]:
    """The lines of the new files that are shown."""
    return {
        file.path: [(hunk.new_start, hunk.new_start + hunk.new_count - 1) for hunk in file.hunks]
        for file in parse_diff(diff or b"")
    }


def chunks_in_turn(prepared: Prepared) -> list[str]:
    """The chunks in the order in which they are asked about."""
    return [chunk for batch in prepared.job.plan.batches for chunk in batch.chunks]


# --- How much is shown


def test_a_model_sees_some_lines_around_a_change_and_the_rules_see_the_file() -> None:
    new = {"a.py": changed(100)}
    diff = diff_of({"a.py": PLAIN}, new)
    assert spans(diff) == {"a.py": [(97, 103)]}
    assert spans(shown(diff, new)) == {"a.py": [(90, 110)]}
    assert spans(shown(diff, new, context_lines=20)) == {"a.py": [(80, 120)]}
    assert spans(shown(diff, new, model="offline")) == {"a.py": [(1, 200)]}


def test_the_prompt_shows_it_as_context_with_the_numbers_of_the_file() -> None:
    new = {"a.py": changed(100)}
    diff = shown(diff_of({"a.py": PLAIN}, new), new)
    assert diff is not None
    job = prepare(diff, set_to()).job
    views = tuple(view(job.files[chunk.file], chunk) for chunk in job.plan.chunks)
    body = render(ModelRequest(views, ())).body
    assert "\nR90 |value_90 = 90\n" in body
    assert "\nL100-|value_100 = 100\nR100+|changed = True\n" in body
    assert "\nR110 |value_110 = 110\n" in body
    assert "value_89" not in body


def test_nothing_is_wanted_where_it_is_turned_off() -> None:
    diff = diff_of({"a.py": PLAIN}, {"a.py": changed(100)})
    assert around(diff, context_lines=0).wanted == ()
    assert around(diff, model="offline", context_lines=0).wanted == ()
    # A diff has three lines anyway.
    assert around(diff, context_lines=3).wanted == ()
    assert around(diff, model="offline", context_lines=3).wanted == ("a.py",)
    assert ContextPlanner((), set_to(), "").shown({}) is None


@pytest.mark.parametrize(
    ("what", "diff"),
    [
        ("skipped by policy", diff_of({"uv.lock": PLAIN}, {"uv.lock": changed(9)})),
        ("added, so whole already", diff_of({}, {"a.py": PLAIN})),
        ("deleted", diff_of({"a.py": PLAIN}, {})),
        ("a link", diff_of({"a": "x\n"}, {"a": "y\n"}, "index 1234567..2345678 120000\n")),
        ("a submodule", diff_of({"a": "x\n"}, {"a": "y\n"}, "index 1234567..2345678 160000\n")),
        ("binary", b"diff --git a/a b/a\nBinary files a/a and b/a differ\n"),
        ("there twice", diff_of({"a.py": PLAIN}, {"a.py": changed(9)}) * 2),
        ("nothing changed in it", b"diff --git a/a b/b\nrename from a\nrename to b\n"),
        ("longer than a piece", diff_of({"a.py": "a\n" * 9999}, {"a.py": "b\n" * 9999})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_request_is_spent_on_a_file_that_is(what: str, diff: bytes) -> None:
    assert what
    assert around(diff).wanted == ()
    assert around(diff).shown({"a.py": PLAIN.encode(), "a": b"y\n"}) is None


def test_the_rules_want_known_languages_and_scripts_and_a_model_wants_any() -> None:
    paths = ("a.py", "b.tsx", "c.rs", "README.md", "d")
    diff = diff_of(dict.fromkeys(paths, PLAIN), dict.fromkeys(paths, changed(100)))
    assert set(around(diff).wanted) == set(paths)
    assert set(around(diff, model="offline").wanted) == {"a.py", "b.tsx", "d"}


def test_each_file_gets_what_its_own_reviewer_can_use() -> None:
    new = {"a.py": changed(100), "tests/test_a.py": changed(100)}
    diff = diff_of(dict.fromkeys(new, PLAIN), new)
    routes = [{"categories": ["tests"], "model": "offline"}]
    assert spans(shown(diff, new, routes=routes)) == {
        "a.py": [(90, 110)],
        "tests/test_a.py": [(1, 200)],
    }


def test_the_most_changed_files_are_wanted_first_and_no_more_than_the_limit() -> None:
    new = {f"{number}.py": changed(*range(1, 2 * number, 2)) for number in range(1, 6)}
    diff = diff_of(dict.fromkeys(new, PLAIN), new)
    assert around(diff, ContextLimits(files=3)).wanted == ("5.py", "4.py", "3.py")
    only = around(diff, ContextLimits(files=1))
    found = only.shown({path: text.encode() for path, text in new.items()})
    assert spans(found) == spans(diff) | {"5.py": [(1, 19)]}


def test_a_file_that_is_too_long_is_left_as_the_diff_has_it() -> None:
    new = {"a.py": changed(100)}
    diff = diff_of({"a.py": PLAIN}, new)
    contents = {"a.py": new["a.py"].encode()}
    size = len(contents["a.py"])
    assert around(diff, ContextLimits(file_bytes=size)).shown(contents) is not None
    assert around(diff, ContextLimits(file_bytes=size - 1)).shown(contents) is None


def test_what_could_not_be_had_or_does_not_fit_is_left_as_the_diff_has_it() -> None:
    new = {"a.py": changed(100), "b.py": changed(100), "c.py": changed(100)}
    diff = diff_of(dict.fromkeys(new, PLAIN), new)
    found = around(diff).shown({"a.py": new["a.py"].encode(), "b.py": b"another\n"})
    assert spans(found) == spans(diff) | {"a.py": [(90, 110)]}
    assert around(diff).shown({}) is None


def test_what_was_reviewed_before_is_not_shown_as_context() -> None:
    new = changed(100, 110)
    whole = parse_diff(diff_of({"a.py": PLAIN}, {"a.py": new}))
    assert [hunk.new_start for hunk in whole[0].hunks] == [97, 107]
    diff = diff_of({"a.py": PLAIN}, {"a.py": changed(100)})
    assert parse_diff(diff)[0].hunks[0].lines == whole[0].hunks[0].lines
    found = around(diff).shown({"a.py": new.encode()}, whole)
    assert spans(found) == {"a.py": [(90, 106)]}


# --- What it may take


def test_where_room_is_scarce_there_are_fewer_lines_and_in_the_end_none() -> None:
    long = [f"# {number} " + "words and more words " * 12 for number in range(200)]
    new = {"a.py": changed(*range(80, 90), of=long)}
    diff = diff_of({"a.py": text_of(long)}, new)

    def lines(tokens: int) -> int:
        found = shown(diff, new, chunk_tokens=tokens, batch_tokens=tokens)
        return 80 - spans(found or diff)["a.py"][0][0]

    assert [lines(tokens) for tokens in (4_000, 2_400, 1_900)] == [10, 5, 3]


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Files of different sizes, changed here and there."""
    old, new = {}, {}
    for name in draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True)):
        width = draw(st.sampled_from([1, 30, 300]))
        lines = [f"{'x' * width} = {number}" for number in range(draw(st.integers(1, 80)))]
        at = draw(st.lists(st.integers(1, len(lines)), min_size=1, max_size=6))
        path = f"{name}.{draw(st.sampled_from(['py', 'js', 'md']))}"
        old[path], new[path] = text_of(lines), changed(*at, of=lines)
    return old, new


@settings(max_examples=examples(60))
@given(trees(), st.sampled_from([MODEL, "offline"]), st.integers(2_000, 6_000), st.integers(4, 40))
def test_context_never_takes_another_request_or_piece_and_changes_no_file(
    change: tuple[dict[str, str], dict[str, str]], model: str, tokens: int, lines: int
) -> None:
    old, new = change
    diff = diff_of(old, new)
    chosen = set_to(model=model, chunk_tokens=tokens, batch_tokens=tokens, context_lines=lines)
    contents = {path: text.encode() for path, text in new.items()}
    wide = ContextPlanner(parse_diff(diff), chosen, "").shown(contents) or diff
    before, after = prepare(diff, chosen), prepare(wide, chosen)
    # Context that joins two hunks can take less than they did, so that requests may be fewer.
    assert len(after.job.plan.batches) <= len(before.job.plan.batches)
    assert chunks_in_turn(after) == chunks_in_turn(before)
    for chunk in after.job.plan.chunks:
        within = max(tokens, before.job.plan.by_id[chunk.id].tokens)
        assert model == "offline" or chunk.tokens <= within
        assert not chunk.cut or before.job.plan.by_id[chunk.id].cut
    for now in after.job.plan.batches:
        least = max(one.tokens for one in before.job.plan.batches if {*one.chunks} & {*now.chunks})
        assert model == "offline" or now.tokens <= max(tokens, least)
    assert list(map(facts, before.job.files)) == list(map(facts, after.job.files))
    estimates = (before.job.estimate, after.job.estimate)
    assert estimates[0].requests >= estimates[1].requests


def facts(file: FileDiff) -> tuple[Any, ...]:
    """What a file is, and all that changed in it."""
    lines = [line for hunk in file.hunks for line in hunk.lines if line.kind != "context"]
    return file.old_path, file.new_path, file.status, file.old_mode, file.new_mode, lines


@pytest.mark.parametrize("model", [MODEL, "offline"])
def test_what_comes_into_view_does_not_make_policy_leave_a_file_out(model: str) -> None:
    generated = ["// Code generated by hand. DO NOT EDIT.", *LINES]
    minified = ["x" * 150_000, *LINES]
    new = {"a.js": changed(8, of=generated), "b.js": changed(8, of=minified)}
    diff = diff_of({"a.js": text_of(generated), "b.js": text_of(minified)}, new)
    assert around(diff, model=model).wanted == ("a.js", "b.js")
    found = shown(diff, new, model=model) or diff
    reviewed = [file.reason for file in prepare(found, set_to(model=model)).job.plan.files]
    assert reviewed == [None, None]


def test_a_diff_that_cannot_be_written_again_stays_as_it_is() -> None:
    new = {"a.py": changed(100)}
    files = (*parse_diff(diff_of({"a.py": PLAIN}, new)), FileDiff("b", "b", "modified"))
    found = ContextPlanner(files, set_to(), "")
    assert found.wanted == ("a.py",)
    assert found.shown({"a.py": new["a.py"].encode()}) is None


# --- What the rules see by it

ASYNC = """\
import time


async def poll(queue):
    # one
    # two
    # three
    # four
    item = queue.get()
    return item
"""
LOOP = """\
def handlers(names):
    found = []
    for name in names:
        label = name.title()
        # one
        # two
        # three
        # four
        found.append(print)
    return found
"""


def added(text: str, line: str, after: str) -> str:
    return text.replace(after, f"{after}{line}\n")


def reported(diff: bytes) -> list[tuple[str, int]]:
    job = prepare(diff, set_to(model="offline")).job
    items = [
        item
        for chunk in job.plan.chunks
        for item in review_chunk(view(job.files[chunk.file], chunk))
    ]
    return [(item["rule"], item["line"]) for item in items]


@pytest.mark.parametrize(
    ("code", "line", "after", "rule"),
    [
        (ASYNC, "    time.sleep(1)", "    # four\n", "python/blocking-in-async"),
        (LOOP, "        found.append(lambda: name)", "        # four\n", "python/late-binding"),
    ],
)
def test_the_rules_find_in_the_file_what_a_hunk_does_not_show(
    code: str, line: str, after: str, rule: str
) -> None:
    new = {"a.py": added(code, line, after)}
    diff = diff_of({"a.py": code}, new)
    assert reported(diff) == []
    found = shown(diff, new, model="offline")
    assert found is not None
    number = new["a.py"].splitlines().index(line) + 1
    assert reported(found) == [(rule, number)]


OLD_FAULTS = """\
import pdb
import pickle


def save(into=[]):
    pdb.set_trace()
    try:
        into.append(eval(input()))
    except Exception:
        pass
    assert (into, "never fails")
    return into


def load(data):
    # a comment
    return data
"""


@pytest.mark.parametrize("line", ["    # a new comment", "    data = data or None"])
def test_the_rules_report_no_old_code_that_only_stands_in_the_file(line: str) -> None:
    new = {"a.py": added(OLD_FAULTS, line, "    # a comment\n")}
    diff = diff_of({"a.py": OLD_FAULTS}, new)
    found = shown(diff, new, model="offline")
    assert spans(found) == {"a.py": [(1, len(new["a.py"].splitlines()))]}
    assert found is not None
    assert reported(found) == []
    # They are faults: as new code each of them is reported.
    assert len(reported(diff_of({}, {"a.py": OLD_FAULTS}))) >= 4


# --- What linters read


@pytest.fixture
def linters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed linters can be used."""
    monkeypatch.setattr("reviewbot.models.linters.linters.find_programs", find_programs)


def with_hashes(old: dict[str, str], new: dict[str, str]) -> bytes:
    """The diff of files that are in both trees, with git's hashes."""
    return b"".join(
        diff_of({path: old[path]}, {path: text}, f"index {'1' * 40}..{blob_of(text)} 100644\n")
        for path, text in new.items()
    )


def blob_of(text: str) -> str:
    data = text.encode()
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


CHANGED = {"a.py": changed(100), "b.js": changed(9), "c.rs": changed(9), "run.sh": changed(9)}
LINTED = with_hashes(dict.fromkeys(CHANGED, PLAIN), CHANGED)


@pytest.mark.usefixtures("linters")
def test_files_whose_linter_needs_them_in_full_are_wanted_beside_a_model() -> None:
    assert around(LINTED, context_lines=3).wanted == ("a.py", "b.js")
    assert set(around(LINTED).wanted) == set(CHANGED)
    assert around(LINTED, context_lines=3, linters=False).wanted == ()
    assert around(LINTED, context_lines=0).wanted == ()


def test_no_file_is_wanted_for_a_linter_that_is_not_installed() -> None:
    assert around(LINTED, context_lines=3).wanted == ()


@pytest.mark.usefixtures("linters")
@pytest.mark.parametrize(
    "diff",
    [
        with_hashes({"a.py": "x = 1\n"}, {"a.py": "y = 1\n"}),
        with_hashes({"a.py": PLAIN}, {"a.py": PLAIN.replace("value_9 = 9\n", "")}),
        diff_of({"a.py": PLAIN}, {"a.py": changed(9)}),
        with_hashes({"a.py": PLAIN}, {"a.py": changed(9)}) * 2,
        with_hashes({"vendor/a.py": PLAIN}, {"vendor/a.py": changed(9)}),
    ],
    ids=["shown in full", "only loses lines", "without a hash", "there twice", "skipped"],
)
def test_no_request_is_spent_for_a_linter_on_a_file_that_is(diff: bytes) -> None:
    assert around(diff, context_lines=3).wanted == ()


@pytest.mark.usefixtures("linters")
def test_files_with_more_context_come_before_those_for_a_linter_alone() -> None:
    old = {"a.py": "a = 1\n" * 3_000, "b.rs": PLAIN}
    new = {"a.py": "b = 1\n" * 2_000 + "a = 1\n" * 1_000, "b.rs": changed(100)}
    diff = with_hashes(old, new)
    assert around(diff).wanted == ("b.rs", "a.py")
    assert around(diff, ContextLimits(files=1)).wanted == ("b.rs",)


@pytest.mark.usefixtures("linters")
def test_files_that_were_read_are_shown_in_full_beside_the_diff() -> None:
    planner = around(LINTED, context_lines=3)
    contents = {path: text.encode() for path, text in CHANGED.items()}
    found = planner.whole_files(contents)
    assert spans(found) == {"a.py": [(1, 200)], "b.js": [(1, 200)]}
    assert planner.shown(contents) is None
    assert new_content(parse_diff(found)[0]).decode() == CHANGED["a.py"]
    assert planner.whole_files({"a.py": PLAIN.encode()}) == b""
    assert planner.whole_files({"a.py": contents["a.py"] + b"more\n"}) == b""
    assert planner.whole_files(contents, parse_diff(LINTED * 2)) == b""


@pytest.mark.usefixtures("linters")
def test_a_file_that_is_too_large_is_not_shown_in_full() -> None:
    limits = ContextLimits(file_bytes=100)
    assert around(LINTED, limits).whole_files({"a.py": CHANGED["a.py"].encode()}) == b""


@pytest.mark.usefixtures("linters")
def test_a_part_of_a_diff_is_shown_in_full_with_every_change_of_the_file() -> None:
    new = {"a.py": changed(20, 100)}
    whole = parse_diff(with_hashes({"a.py": PLAIN}, new))
    part = file_diff_text(replace(whole[0], hunks=whole[0].hunks[1:]))
    found = around(part, context_lines=3).whole_files({"a.py": new["a.py"].encode()}, whole)
    (file,) = parse_diff(found)
    assert (file.added, file.hunks[0].new_count) == (2, 200)
