"""The linters on files of a change: what they report, and what they leave alone."""

from __future__ import annotations

import asyncio
import os
import sysconfig
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from reviewbot.models.linters import linters as module
from reviewbot.models.linters import process, programs
from reviewbot.models.linters.base import copy_name
from reviewbot.models.linters.linters import Linted, Linters
from reviewbot.models.linters.rules import find_rule, wanted_versions
from reviewbot.models.linters.slots import LinterSlots
from tests.models.linters.samples import SAMPLES, Sample, found, need

if TYPE_CHECKING:
    from pathlib import Path

PYTHON, SCRIPT = SAMPLES[0], SAMPLES[2]
each_linter = pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.linter)


async def lint(sample: Sample, text: str | None = None, *, heed_added: bool = False) -> Linted:
    need(sample.linter)
    text = sample.text if text is None else text
    added = range(1, text.count("\n") + 2)
    return await Linters(heed_added=heed_added).lint(sample.path, text, added)


@each_linter
async def test_a_planted_fault_is_found_on_its_line(sample: Sample) -> None:
    assert found(await lint(sample)) == [(sample.line, sample.rule)]


@each_linter
async def test_crlf_line_ends_do_not_move_a_result(sample: Sample) -> None:
    linted = await lint(sample, sample.text.replace("\n", "\r\n"))
    assert (sample.line, sample.rule) in found(linted)


@each_linter
async def test_a_fault_on_an_old_line_is_not_reported(sample: Sample) -> None:
    need(sample.linter)
    added = {*sample.lines} - {sample.line}
    assert found(await Linters(heed_added=False).lint(sample.path, sample.text, added)) == []


@each_linter
async def test_a_result_has_a_title_a_reason_and_a_category(sample: Sample) -> None:
    (hit,) = (await lint(sample)).hits
    group = find_rule(sample.rule)
    assert group is not None
    assert hit.title
    assert hit.message.endswith(group.reason)
    assert hit.category == group.category
    assert hit.end_line == hit.line


@each_linter
async def test_a_file_without_added_lines_needs_no_process(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(sample.linter)
    monkeypatch.setattr(module, "run_linter", None)
    linted = await Linters(heed_added=False).lint(sample.path, sample.text, [])
    assert linted == Linted(ran=(sample.linter,))


@pytest.mark.parametrize("path", ["a.go", "README.md", "dockerfile.md", "workflows/a.yml", "a"])
async def test_other_files_have_no_linter(path: str) -> None:
    linters = Linters(heed_added=False)
    assert linters.linter_of(path) is None
    assert not linters.needs_whole(path)
    assert await linters.lint(path, "x\n", [1]) == Linted()


@pytest.mark.parametrize(
    ("path", "linter"),
    [
        ("a/b.pyi", "ruff"),
        ("a/[id].tsx", "oxlint"),
        ("a/b.MJS", "oxlint"),
        ("a.min.js", None),
        ("deploy/Dockerfile.prod", "hadolint"),
        ("deploy/prod.dockerfile", "hadolint"),
        ("Containerfile", "hadolint"),
        ("Dockerfile.dockerignore", None),
        ("Dockerfile.j2", None),
        ("languages/dockerfile.py", "ruff"),
        ("languages/dockerfile.min.js", None),
        (".github/workflows/a.yaml", "zizmor"),
        (".github/workflows/more/a.yaml", None),
        ("tools/setup/action.yml", "zizmor"),
        ("x.bash", "shellcheck"),
    ],
)
def test_the_name_of_a_file_decides_who_reads_it(path: str, linter: str | None) -> None:
    need(linter or "ruff")
    assert Linters(heed_added=False).linter_of(path) == linter


@pytest.mark.parametrize(
    ("first_line", "is_shell"),
    [
        ("#!/bin/sh", True),
        ("#!/usr/bin/env bash", True),
        ("#!/usr/bin/env -S bash -eu", True),
        ("#! /bin/dash -e", True),
        ("#!/usr/bin/env python3", False),
        ("#!/usr/bin/fish", False),
        ("# /bin/sh", False),
    ],
)
def test_a_script_without_extension_is_known_by_its_first_line(
    first_line: str, is_shell: bool
) -> None:
    need("shellcheck")
    found = Linters(heed_added=False).linter_of("bin/run", first_line)
    assert found == ("shellcheck" if is_shell else None)


@pytest.mark.parametrize("name", ["-rf.py", "[id].py", "a b;$(c).py", "ä" * 80 + ".py", "a\n.py"])
async def test_an_unusual_name_changes_nothing(name: str) -> None:
    sample = Sample(f"src/{name}", PYTHON.text, PYTHON.line, PYTHON.rule)
    assert found(await lint(sample)) == [(3, "ruff/F821")]


@pytest.mark.parametrize("name", ["max-min.ts", "a.min.ts", "slider.min.test.js"])
async def test_a_script_whose_name_seems_minified_is_read(name: str) -> None:
    sample = SAMPLES[1]
    assert found(await lint(replace(sample, path=f"src/{name}"))) == [(sample.line, sample.rule)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("src/a.min.js", "a.min.js"),
        ("app/[id].tsx", "_id_.tsx"),
        ("a b;$(c).py", "a_b___c_.py"),
        ("src/é\n.py", "__.py"),
        ("x" * 300 + ".py", "x" * 97 + ".py"),
    ],
)
def test_the_copy_has_the_name_of_the_file_without_unusual_characters(path: str, name: str) -> None:
    assert copy_name(path) == name


@each_linter
async def test_only_some_linters_read_a_hunk(sample: Sample) -> None:
    need(sample.linter)
    linters = Linters(heed_added=False)
    linted = await linters.lint(sample.path, sample.text, [sample.line + 40], whole=False, first=41)
    if linters.needs_whole(sample.path):
        assert linted.problem == f"{sample.linter} did not read this file: it needs the whole file."
    else:
        assert found(linted) == [(sample.line + 40, sample.rule)]
    assert linters.needs_whole(sample.path) == (sample.linter in ("ruff", "oxlint", "zizmor"))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "  done\n}\necho 1\n"),  # SC1089: begins inside of a loop
        ("a.sh", 'x="a\necho 1\n'),
        (
            "Dockerfile",
            "RUN a | b\nCOPY --from=build /a b\nCMD a\n",
        ),  # no FROM, no SHELL, no WORKDIR
    ],
)
async def test_a_hunk_is_not_blamed_for_what_is_above_it(path: str, text: str) -> None:
    need("shellcheck" if path == "a.sh" else "hadolint")
    linted = await Linters(heed_added=False).lint(path, text, [1, 2, 3], whole=False, first=1)
    assert [hit.rule for hit in linted.hits if hit.rule != "hadolint/DL3025"] == []


async def test_a_hunk_with_a_syntax_error_was_not_read() -> None:
    need("shellcheck")
    text = "if [ 1 = 1 ; then\n  cd /tmp\nfi\n"
    linted = await Linters(heed_added=False).lint("a.sh", text, [31], whole=False, first=30)
    assert linted.problem == "shellcheck did not read this file: line 30 has a syntax error."
    assert not linted.ran


async def test_a_hunk_that_ends_a_block_was_not_read() -> None:
    need("shellcheck")
    lines = ["fi", "", 'rm -rf "$STEAM/"*']
    linters = Linters(heed_added=False)
    linted = await linters.lint("a.sh", "\n".join(lines), [22], whole=False, first=20)
    assert linted.problem == "shellcheck did not read this file: line 20 has a syntax error."
    assert not linted.ran


async def test_a_file_with_types_of_flow_was_not_read() -> None:
    need("oxlint")
    text = "// @flow\nconst a: number = 1;\ndebugger;\n"
    linted = await Linters(heed_added=False).lint("a.js", text, [1, 2, 3])
    assert linted.problem == "oxlint did not read this file: it holds @flow."


async def test_an_extension_in_capitals_changes_nothing() -> None:
    need("oxlint")
    linted = await Linters(heed_added=False).lint("A.JS", "debugger;\n", [1])
    assert found(linted) == [(1, "oxlint/no-debugger")]


async def test_one_syntax_error_of_a_whole_script_is_one_result() -> None:
    need("shellcheck")
    linters = Linters(heed_added=False)
    text = "#!/bin/sh\nif [ 1 = 1 ; then\n  echo\nfi\n"
    assert found(await linters.lint("a.sh", text, [2])) == [(2, "shellcheck/SC1072")]
    assert (await linters.lint("a.sh", text, [3])).problem is not None


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("a.py", "def f(:\n", "line 1 has a syntax error."),
        ("a.js", "let x = 1;\nlet = (;\n", "line 2 has a syntax error."),
        ("Dockerfile", "FROM a:1\nNONSENSE\n", "it could not parse line 2."),
        (".github/workflows/a.yml", "on: [\n", "it is not valid YAML, or not a valid"),
        (".github/workflows/a.yml", "name: a\n", "it is not valid YAML, or not a valid"),
        ("a.sh", "#!/usr/bin/fish\n", "it does not support the shell of this script."),
        ("a.py", "x = '\udcff'\n", "the file is not UTF-8."),
        ("a.py", "x = 1 # a\ry\n", "a carriage return is inside of a line."),
        ("a.py", "#" * 1_000_000 + "\n", "the file is larger than 1,000,000 bytes."),
        ("a.js", "/" * 1_000_000 + "\n", "the file is larger than 1,000,000 bytes."),
        ("a.sh", "#" * 50_000 + "\n", "the file is larger than 50,000 bytes."),
        ("Dockerfile", "#" * 50_000 + "\n", "the file is larger than 50,000 bytes."),
        ("action.yml", "#" * 50_000 + "\n", "the file is larger than 50,000 bytes."),
    ],
)
async def test_a_file_that_a_linter_cannot_read_is_a_problem_and_no_finding(
    path: str, text: str, problem: str
) -> None:
    linters = Linters(heed_added=False)
    name = linters.linter_of(path)
    if name is None:
        pytest.skip("not installed")
    linted = await linters.lint(path, text, [1, 2])
    assert not linted.hits
    assert not linted.ran
    assert linted.problem is not None
    assert linted.problem.startswith(f"{name} did not read this file: {problem}")


@pytest.mark.parametrize("mark", "\x0b\x0c\x1c\x85\u2028\u2029\ufeff\x00\x01")
@each_linter
async def test_odd_characters_do_not_move_a_result(sample: Sample, mark: str) -> None:
    comment = "//" if sample.linter == "oxlint" else "#"
    first, _, rest = sample.text.partition("\n")
    linted = await lint(sample, f"{first}\n{comment} a{mark}b\n{rest}")
    if sample.linter == "zizmor" and linted.problem:
        assert "not valid YAML" in linted.problem
    else:
        assert found(linted) == [(sample.line + 1, sample.rule)]


async def test_in_tests_examples_and_documentation_only_real_errors_count() -> None:
    need("ruff")
    text = "import pickle\n\n\ndef f(data):\n    pickle.loads(data)\n    return undefined_name\n"
    linters = Linters(heed_added=False)
    strict = [(5, "ruff/S301"), (6, "ruff/F821")]
    assert found(await linters.lint("src/a.py", text, range(1, 7))) == strict
    for path in ("tests/a.py", "docs/conf.py", "examples/a.py", "src/test_a.py"):
        assert found(await linters.lint(path, text, range(1, 7))) == strict[1:]


async def test_of_one_rule_at_most_20_results_are_returned() -> None:
    need("ruff")
    text = "undefined_name\n" * 50
    hits = (await Linters(heed_added=False).lint("a.py", text, range(1, 51))).hits
    assert [hit.line for hit in hits] == [*range(1, 21)]
    assert hits[-1].message.endswith("30 more in this file.")
    assert "more in this file" not in hits[-2].message


async def test_a_long_result_is_on_its_first_line() -> None:
    need("ruff")
    text = "assert (\n" + "    1,\n" * 8 + '    "x",\n)\n'
    (hit,) = (await Linters(heed_added=False).lint("a.py", text, [1])).hits
    assert (hit.line, hit.end_line, hit.rule) == (1, 1, "ruff/F631")


async def test_a_safe_fix_of_added_lines_is_a_suggestion() -> None:
    need("ruff")
    text = 'def f(x):\n    # ü\n    return "ü" if x is "a" else 1\n'
    (hit,) = (await Linters(heed_added=False).lint("a.py", text, [3])).hits
    assert hit.rule == "ruff/F632"
    assert hit.suggestion == '    return "ü" if x == "a" else 1'


async def test_a_replacement_of_shellcheck_is_a_suggestion() -> None:
    (hit,) = (await lint(SCRIPT)).hits
    assert hit.suggestion == "cd /tmp || exit"


async def test_an_unsafe_fix_is_no_suggestion() -> None:
    need("ruff")
    (hit,) = (
        await Linters(heed_added=False).lint("a.py", "x = dict.fromkeys((1, 2), [])\n", [1])
    ).hits
    assert hit.rule == "ruff/RUF024"
    assert hit.suggestion is None


async def test_a_linter_that_is_not_installed_is_not_available(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: os.fspath(tmp_path))
    linters = Linters(heed_added=False)
    assert linters.linter_of("a.py") is None
    assert programs.versions() == {}
    assert await linters.lint("a.py", "undefined_name\n", [1]) == Linted()


async def test_another_version_of_a_linter_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    need("ruff")
    others = {**wanted_versions(), "ruff": "0.1.0"}
    monkeypatch.setattr(programs, "wanted_versions", lambda: others)
    assert Linters(heed_added=False).linter_of("a.py") is None
    state = next(one for one in programs.find_programs() if one.linter.name == "ruff").state
    assert state.endswith("is installed, and version 0.1.0 is needed")


async def test_a_program_of_the_working_folder_or_the_path_is_never_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need("ruff")
    mark = tmp_path / "ran"
    for name in ("ruff", "sh"):
        planted = tmp_path / name
        planted.write_text(f"#!/bin/sh\n: > {mark}\n")
        planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert found(await lint(PYTHON)) == [(3, "ruff/F821")]
    assert not mark.exists()


@pytest.mark.real_time
async def test_a_cancelled_review_ends_its_linter() -> None:
    need("shellcheck")

    def running() -> list[psutil.Process]:
        children = psutil.Process().children(recursive=True)
        return [one for one in children if one.name() == "shellcheck"]

    text = "#!/bin/sh\n" + "a;" * 20_000  # takes longer than the limit
    task = asyncio.create_task(Linters(heed_added=False).lint("a.sh", text, [2]))
    for _ in range(1000):
        if running():
            break
        await asyncio.sleep(0.01)
    task.cancel()
    cancelled = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running()
    assert time.monotonic() - cancelled < process.WALL_S / 2


async def test_the_event_loop_runs_while_a_linter_works() -> None:
    need("shellcheck")
    task = asyncio.create_task(lint(SCRIPT))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    assert found(task.result())


async def test_a_review_has_a_time_limit_for_all_its_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need("ruff")
    monkeypatch.setattr(module, "REVIEW_S", 0.000_1)
    monkeypatch.setattr(module, "RESERVE_S", 0.000_1)
    linters = Linters(heed_added=False)
    for _ in range(2):  # with the common time, and with that of ruff
        assert found(await linters.lint("a.py", PYTHON.text, [3])) == [(3, "ruff/F821")]
    linted = await linters.lint("a.py", PYTHON.text, [3])
    assert linted.failed
    assert linted.problem == (
        "ruff did not read this file: the linters have used the time of this review."
    )


async def test_slow_files_leave_time_for_smaller_files_and_other_linters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need("shellcheck")
    monkeypatch.setattr(module, "REVIEW_S", 0.000_1)
    monkeypatch.setattr(module, "RESERVE_S", 0.000_1)
    linters = Linters(heed_added=False)
    padded = SCRIPT.text + "#" * max(module.SIZES) + "\n"
    problems = [(await linters.lint("a.sh", padded, [3])).problem for _ in range(4)]
    assert [problem is None for problem in problems] == [True, True, False, False]
    assert found(await linters.lint("b.sh", SCRIPT.text, [3])) == [(3, "shellcheck/SC2164")]
    assert found(await linters.lint("a.py", PYTHON.text, [3])) == [(3, "ruff/F821")]


async def test_reviews_can_share_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    need("ruff")
    running, most = 0, 0
    run = process.run_linter

    def counted(*arguments: object, **options: object) -> process.Completed:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return run(*arguments, **options)  # type: ignore[arg-type]
        finally:
            running -= 1

    monkeypatch.setattr(module, "run_linter", counted)
    slots = LinterSlots(1)
    reviews = [Linters(heed_added=False, slots=slots.for_review("local")) for _ in range(4)]
    await asyncio.gather(*(one.lint("a.py", PYTHON.text, [3]) for one in reviews))
    assert most == 1
