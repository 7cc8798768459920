"""Reviews with linters beside the rules or a model."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.events.report import Report, fold
from reviewbot.core.findings.draft import Draft
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.errors import ConfigError
from reviewbot.models.batch import BatchResult, BatchTask, ChunkOutcome, Drafted
from reviewbot.models.linters import linters as limits
from reviewbot.models.linters.imported import ImportedHit
from reviewbot.models.linters.linters import Linted, Linters
from reviewbot.models.linters.overlap import ALIKE, BETTER
from reviewbot.models.linters.rules import find_rule
from reviewbot.models.linters.rules_beside import run_rules
from reviewbot.models.offline.parser import Parser
from reviewbot.models.offline.parser_process import CRASHED, ParseError
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.run_context import NO_CONTEXT, RunContext
from reviewbot.pipeline.workers import workers
from reviewbot.rules.load import rule_ids, rules_for
from tests.in_process import parser
from tests.models.linters.samples import need
from tests.models.scripted import item
from tests.support.reviews import added
from tests.support.views import hunk
from tests.support.views import view as view_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reviewbot.models.batch import Emit


BROKEN = added("a.py", "def f(x=[]):", '    if x is "a":', "        return unknown")
SHELL = added("run.sh", "#!/bin/bash", "rm -rf $DIR/")
OWN_FOR_SHELL = f"{len(rules_for('bash'))} rules for shell scripts"


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""


async def reviewed(
    diff: str | bytes,
    imported: tuple[ImportedHit, ...] = (),
    *,
    whole_files: bytes = b"",
    context: RunContext = NO_CONTEXT,
    **flags: Any,
) -> Report:
    settings = load_settings(flags={"model": "offline", **flags}, env={})
    data = diff.encode() if isinstance(diff, str) else diff
    prepared = prepare(data, settings, whole_files=whole_files, context=context)
    async with workers(prepared, settings) as able:
        run_batch = able.with_linters(able.run_batch, imported)
        return fold([one async for one in review(prepared.job, run_batch)])


def rules(report: Report) -> dict[str, int]:
    return {finding.rule: finding.line for finding in report.findings}


async def test_linters_report_on_lines_of_a_whole_file() -> None:
    report = await reviewed(BROKEN)
    assert rules(report) == {"ruff/F632": 2, "ruff/F821": 3}
    (file,) = report.coverage
    assert "ruff" in file.checks
    assert report.depth.endswith("rules for Python and ruff ran; no model read this.")


async def test_a_linter_makes_a_file_read_for_which_there_are_no_rules() -> None:
    report = await reviewed(SHELL)
    assert rules(report) == {"shellcheck/SC2115": 2}
    assert [file.status for file in report.coverage] == ["reviewed"]


async def test_the_setting_turns_the_linters_off() -> None:
    report = await reviewed(SHELL, linters=False)
    assert not report.findings
    assert [file.checks for file in report.coverage] == [(OWN_FOR_SHELL,)]


async def test_own_rules_that_a_linter_covers_run_only_without_it() -> None:
    assert "python/is-literal" in rules(await reviewed(BROKEN, linters=False))
    assert "python/is-literal" not in rules(await reviewed(BROKEN))


async def test_a_fault_that_both_know_is_reported_once_by_the_own_rule() -> None:
    report = await reviewed(added("a.py", "import os", "def f(x):", "    os.system('ls ' + x)"))
    assert rules(report) == {"python/shell-injection": 3}


async def test_what_only_the_linter_knows_of_such_faults_is_reported() -> None:
    report = await reviewed(added("a.py", "import pickle", "def f(x):", "    pickle.load(x)"))
    assert rules(report) == {"ruff/S301": 3}


LINES = ["import os", *(f"x{number} = {number}" for number in range(20))]
BEFORE, AFTER = [*LINES, "y = 1"], [*LINES, "y = os.sep + unknown"]
WHOLE = "--unified=10000"


def changed(
    folder: Path, *options: str, old: Sequence[str] = BEFORE, new: Sequence[str] = AFTER
) -> bytes:
    """The diff of a file; by default, its last line comes from an import in its first one."""
    (folder / "a.py").write_text("".join(f"{line}\n" for line in old))
    for arguments in (["init", "-q"], ["add", "a.py"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    (folder / "a.py").write_text("".join(f"{line}\n" for line in new))
    done = subprocess.run(
        ["git", "-C", str(folder), "diff", *options], check=True, capture_output=True
    )
    return done.stdout


async def test_a_linter_that_needs_the_whole_file_leaves_hunks_alone(tmp_path: Path) -> None:
    part = await reviewed(changed(tmp_path))
    assert rules(part) == {}
    sentence = "Only hunks of a.py are known, and linters need the whole file."
    assert part.depth.endswith(sentence)
    whole = await reviewed(changed(tmp_path, "--unified=100"))
    assert rules(whole) == {"ruff/F821": 22}


async def test_a_file_that_is_known_in_full_is_linted_in_full(tmp_path: Path) -> None:
    report = await reviewed(changed(tmp_path), whole_files=changed(tmp_path, WHOLE))
    assert rules(report) == {"ruff/F821": 22}
    assert "known" not in report.depth


async def test_a_whole_file_of_another_change_is_not_linted(tmp_path: Path) -> None:
    other = changed(tmp_path, WHOLE).replace(b" x5 = 5", b" unknown = 5")
    report = await reviewed(changed(tmp_path), whole_files=other)
    assert rules(report) == {}
    assert report.depth.endswith("are known, and linters need the whole file.")


async def test_a_part_of_a_file_is_not_linted_as_a_whole_one(tmp_path: Path) -> None:
    report = await reviewed(changed(tmp_path), whole_files=changed(tmp_path, "--unified=6"))
    assert rules(report) == {}


UNSAFE = [*LINES, "os.system('ls ' + os.getcwd())"]
"""A fault that an own rule finds in the hunk alone."""


async def beside_a_model(
    diff: bytes, *, whole_files: bytes = b"", falls_back: bool = False, **flags: Any
) -> tuple[Report, list[str]]:
    """Return the report, and the instructions that the model got."""
    settings = load_settings(flags=flags, env={"ANTHROPIC_API_KEY": "unused"})
    prepared = prepare(diff, settings, whole_files=whole_files)
    instructions: list[str] = []

    async def find_nothing(task: BatchTask, emit: Emit) -> BatchResult:
        instructions.extend(text for one in task.request.chunks for text in one.instructions)
        if falls_back:
            return await able.own_rules[task.id](task, emit)
        ends = tuple(ChunkOutcome(one.id, "reviewed", "m", 1) for one in task.request.chunks)
        for end in ends:
            await emit(end)
        return BatchResult((), ends, ())

    async with workers(prepared, settings, parser=parser()) as able:
        run_batch = able.with_linters(find_nothing)
        report = fold([one async for one in review(prepared.job, run_batch)])
    return report, instructions


async def test_own_rules_beside_a_model_find_what_they_find_without_one(tmp_path: Path) -> None:
    diff, whole = (changed(tmp_path, option, new=UNSAFE) for option in ("-U3", WHOLE))
    report, instructions = await beside_a_model(diff)
    assert rules(report) == {"python/shell-injection": 22}
    assert [one.verification for one in report.findings] == ["none"]
    assert report.coverage[0].checks == (f"{len(rules_for('python'))} rules for Python",)
    assert [text for text in instructions if "line 22 (python/shell-injection)" in text]
    for options in ({"whole_files": whole}, {"linters": False}):
        beside, alone = (await beside_a_model(diff, **options))[0], await reviewed(diff, **options)
        assert beside.findings == alone.findings
        assert beside.coverage == alone.coverage


async def test_own_rules_that_also_replace_the_model_report_a_fault_once(tmp_path: Path) -> None:
    report, _ = await beside_a_model(changed(tmp_path, new=UNSAFE), falls_back=True)
    assert rules(report) == {"python/shell-injection": 22}
    assert len(report.findings) == 1


async def test_own_rules_that_fail_beside_a_model_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def crash(*_: object) -> None:
        raise ParseError(CRASHED)

    monkeypatch.setattr(Parser, "match", crash)
    report, _ = await beside_a_model(changed(tmp_path, new=UNSAFE))
    assert report.outcome == "clean"
    assert report.depth == "The offline rules did not read all of a.py: the parser crashed."
    assert report.coverage[0].checks == ()


async def test_rules_that_raise_beside_a_model_do_not_fail_its_chunk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ConfigError("a rule file is broken")

    monkeypatch.setattr(Parser, "match", refuse)
    report, _ = await beside_a_model(changed(tmp_path, new=UNSAFE))
    assert report.outcome == "clean"
    assert report.depth == "The offline rules did not read a.py: a rule file is broken"


async def test_each_chunk_of_a_long_file_gets_the_results_on_its_own_lines(tmp_path: Path) -> None:
    old = [f"value_{number} = {number}" for number in range(1, 1001)]
    new = [line if number % 200 else f"a = b{number}" for number, line in enumerate(old, 1)]
    diff, whole = (changed(tmp_path, option, old=old, new=new) for option in ("-U99", WHOLE))
    found = load_settings(flags={"chunk_tokens": 2000}, env={"ANTHROPIC_API_KEY": "unused"})
    prepared = prepare(diff, found, whole_files=whole)
    assert len(prepared.job.plan.chunks) > 1

    async def find_nothing(task: BatchTask, _: Emit) -> BatchResult:
        ends = (ChunkOutcome(one.id, "reviewed", "m", 1) for one in task.request.chunks)
        return BatchResult((), tuple(ends), ())

    async with workers(prepared, found) as able:
        run_batch = able.with_linters(find_nothing)
        report = fold([one async for one in review(prepared.job, run_batch)])
    assert [one.line for one in report.findings] == [200, 400, 600, 800, 1000]
    assert len({one.chunk for one in report.findings}) == 5


async def test_a_result_that_is_longer_than_its_hunk_is_cut_and_suggests_nothing(
    tmp_path: Path,
) -> None:
    rest = ["    'a'", "    'b'", "    'c')"]
    old, new = ["x = y = (", *rest], ["x = y = ('abc' is", *rest]
    whole = changed(tmp_path, WHOLE, old=old, new=new)
    (finding,) = (await reviewed(whole)).findings
    assert (finding.rule, finding.line, finding.end_line) == ("ruff/F632", 1, 4)
    assert finding.suggestion
    diff = changed(tmp_path, "-U1", old=old, new=new)
    (finding,) = (await reviewed(diff, whole_files=whole)).findings
    assert (finding.rule, finding.line, finding.end_line) == ("ruff/F632", 1, 2)
    assert (finding.placement.kind, finding.suggestion) == ("inline", None)


def later_hunks(diff: bytes) -> bytes:
    """A diff of one file without its first hunk, which was reviewed before."""
    (file,) = parse_diff(diff)
    return file_diff_text(replace(file, hunks=file.hunks[1:]))


async def test_many_results_outside_of_the_reviewed_part_hide_none_in_it(tmp_path: Path) -> None:
    old = [f"value_{number} = {number}" for number in range(80)]
    new = [f"value = missing_{number}" for number in range(40)] + [*old[40:-1], "x = unknown"]
    diff, whole = (changed(tmp_path, option, old=old, new=new) for option in ("-U1", WHOLE))
    assert rules(await reviewed(later_hunks(diff), whole_files=whole)) == {"ruff/F821": 80}


async def test_an_added_comment_outside_of_the_reviewed_part_hides_no_result(
    tmp_path: Path,
) -> None:
    silenced = ["import os", "# ruff: noqa", *AFTER[2:]]
    whole = changed(tmp_path, WHOLE, new=silenced)
    part = later_hunks(changed(tmp_path, new=silenced))
    unheeded = RunContext(heed_added_suppressions=False)
    report = await reviewed(part, whole_files=whole, context=unheeded)
    assert rules(report) == {"ruff/F821": 22}
    assert rules(await reviewed(part, whole_files=whole)) == {}


async def test_results_of_other_tools_are_reported_on_added_lines() -> None:
    def hit(line: int) -> ImportedHit:
        rule = f"imported/tool/R{line}"
        return ImportedHit(line, line, rule, "error", "bug", "Wrong", "It is.", path="a.py")

    report = await reviewed(added("a.py", "x = 1"), (hit(1), hit(2)))
    assert rules(report) == {"imported/tool/R1": 1}
    assert report.findings[0].title == "Wrong"


async def test_a_secret_is_not_shown_to_a_linter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []
    lint = Linters.lint

    async def watched(self: Linters, path: str, text: str, *rest: Any, **more: Any) -> Linted:
        seen.append(text)
        return await lint(self, path, text, *rest, **more)

    monkeypatch.setattr(Linters, "lint", watched)
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    await reviewed(added("a.py", f"token = '{token}'"))
    old, new = ([f"token = '{token}'", *lines] for lines in (BEFORE, AFTER))
    diff, whole = (changed(tmp_path, option, old=old, new=new) for option in ("-U1", WHOLE))
    await reviewed(diff, whole_files=whole)
    assert len(seen) == 2
    assert token not in "".join(seen)


async def test_a_linter_that_could_not_read_a_file_is_named() -> None:
    report = await reviewed(added("a.py", "def f(:"))
    assert report.outcome == "clean"
    assert report.depth.endswith("ruff did not read a.py: line 1 has a syntax error.")


async def test_faults_that_only_the_own_rule_knows_are_reported_beside_a_linter() -> None:
    report = await reviewed(added("a.js", "const f = (x) => new Function(x);"))
    assert rules(report) == {"javascript/eval": 1}


async def test_a_fault_in_a_test_that_the_linter_leaves_out_is_reported() -> None:
    report = await reviewed(added("tests/test_a.py", "def test() -> None:", "    breakpoint()"))
    assert rules(report) == {"python/debugger": 2}


async def test_a_file_that_only_loses_lines_counts_as_linted() -> None:
    head = "diff --git a/run.sh b/run.sh\nindex 1111111..2222222 100755\n"
    diff = f"{head}--- a/run.sh\n+++ b/run.sh\n@@ -1,2 +1 @@\n #!/bin/bash\n-echo\n"
    (file,) = (await reviewed(diff)).coverage
    assert (file.status, file.checks) == ("reviewed", (OWN_FOR_SHELL, "shellcheck"))


async def test_a_result_of_another_tool_with_a_huge_range_is_cut() -> None:
    end_line, rule = 10_000_000, "imported/tool/R"
    hit = ImportedHit(1, end_line, rule, "error", "bug", "Wrong", "It is.", path="a.py")
    (finding,) = (await reviewed(added("a.py", "x = 1", "y = 2"), (hit,))).findings
    assert (finding.line, finding.end_line) == (1, 2)


def test_the_own_rules_that_linters_replace_exist() -> None:
    assert rule_ids() >= BETTER
    assert {rule for rules in ALIKE.values() for rule in rules} <= rule_ids()
    assert all(find_rule(rule) for rule in ALIKE)


@pytest.mark.parametrize("failed", [True, False])
async def test_only_a_linter_that_breaks_off_makes_a_review_without_a_model_incomplete(
    monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    async def lint(*_: object, **__: object) -> Linted:
        return Linted(problem="ruff did not read this file: it crashed.", failed=failed)

    monkeypatch.setattr(Linters, "lint", lint)
    report = await reviewed(added("a.py", "x = 1"))
    assert report.outcome == ("incomplete" if failed else "clean")


async def test_padded_files_leave_time_for_other_files_and_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need("shellcheck")
    monkeypatch.setattr(limits, "REVIEW_S", 0.000_1)
    monkeypatch.setattr(limits, "RESERVE_S", 0.000_1, raising=False)
    padding = "# " + "x" * 20_000
    padded = "".join(added(f"{number}.sh", "echo", padding) for number in range(20))
    report = await reviewed(padded + BROKEN + SHELL, jobs=1)
    assert rules(report) == {"ruff/F632": 2, "ruff/F821": 3, "shellcheck/SC2115": 2}
    assert report.outcome == "incomplete"
    partly = {file.path: file.reason for file in report.coverage if file.status == "partly"}
    assert len(partly) >= 16  # four may begin before any has used the time
    assert set(partly) < {f"{number}.sh" for number in range(20)}
    assert set(partly.values()) == {
        "shellcheck did not read this file: the linters have used the time of this review."
    }


FAR_AWAY = ["async def wait(seconds):", *(f"    x{n} = {n}" for n in range(1, 41)), "    return 1"]
BLOCKING = [*FAR_AWAY[:-1], "    time.sleep(seconds)", FAR_AWAY[-1]]
"""A fault in a coroutine that begins above the hunk."""


async def test_own_rules_beside_a_model_see_the_whole_file(tmp_path: Path) -> None:
    options: dict[str, Any] = {"old": FAR_AWAY, "new": BLOCKING}
    diff, whole = changed(tmp_path, "-U3", **options), changed(tmp_path, WHOLE, **options)
    report, _ = await beside_a_model(diff, whole_files=whole, linters=False)
    assert rules(report) == {"python/blocking-in-async": 42}
    assert rules((await beside_a_model(diff, linters=False))[0]) == {}
    assert report.findings == (await reviewed(whole, linters=False)).findings


async def test_a_finding_that_is_longer_than_its_hunk_is_on_the_lines_of_the_hunk(
    tmp_path: Path,
) -> None:
    options: dict[str, Any] = {"old": FAR_AWAY, "new": BLOCKING}
    (whole,) = parse_diff(changed(tmp_path, WHOLE, **options))
    found = Draft(**item(1, end_line=42, suggestion="pass"), rule="python/long")
    seen: list[int] = []

    async def report(task: BatchTask, _: Emit) -> BatchResult:
        (view,) = task.request.chunks
        seen.extend(len(hunk.lines) for hunk in view.hunks)
        drafted = Drafted(found, "offline", 1, "answer", (view.id,))
        return BatchResult((drafted,), (ChunkOutcome(view.id, "reviewed", "offline", 1),), ())

    shown = hunk("     x40 = 40\n+    time.sleep(seconds)\n     return 1", old=41, new=41)
    view = view_of(shown)
    task = BatchTask("b", ModelRequest(chunks=(view,), manifest=()))
    (drafted,), _ = await run_rules(report, task, view, whole)
    assert seen == [43]
    draft = drafted.draft
    assert (draft.line, draft.end_line, draft.suggestion) == (41, 42, None)
    assert draft.quote == "    x40 = 40\n    time.sleep(seconds)"
