"""``reviewbot eval``: offline from cases to a table, and with a model only after a question."""

from __future__ import annotations

import asyncio
import json
import shutil
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from reviewbot.cli import eval_session
from reviewbot.cli.main import main
from reviewbot.config.installation import install_command
from reviewbot.core.events.events import Usage
from reviewbot.core.render.wording import dollars
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.pipeline import workers
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.in_process import no_process
from tests.support.commands import Done, run_command
from tests.support.forks import ROOT
from tests.support.repositories import _alone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded

__all__ = ["_alone"]

CASES = ROOT / "fixtures" / "eval" / "cases.jsonl"


class Terminal(StringIO):
    """Standard input of somebody who can be asked."""

    def isatty(self) -> bool:
        return True


class Reviewbot:
    """The command in this process, in a folder, without a process that parses."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys

    async def __call__(self, *arguments: str, **variables: str) -> Done:
        with self._monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            code = await asyncio.to_thread(_main, ["eval", *arguments])
        return Done(code, *self._capsys.readouterr())


def _main(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # of argparse
        assert isinstance(end.code, int)
        return end.code


@pytest.fixture
def reviewbot(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Reviewbot:
    monkeypatch.setattr(workers, "own_pool", no_process)
    return Reviewbot(folder, monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a case that the rules find, one that they miss, and a clean one."""
    lines = CASES.read_text().splitlines(keepends=True)
    names = ("sql-03", "go-04", "go-09")
    chosen = [line for line in lines if json.loads(line)["id"] in names]
    (tmp_path / "cases.jsonl").write_text("".join(chosen))
    (tmp_path / ".reviewbot.yml").write_text("linters: false\n")
    return tmp_path


@pytest.mark.slow
async def test_an_offline_run_as_a_command(folder: Path) -> None:
    done = await run_command(folder, "eval", "run", "cases.jsonl")
    assert (done.code, "2 golden comments in 3 cases" in done.text) == (0, True), done.err


async def test_an_offline_run_prints_scores_and_writes_its_results(reviewbot: Reviewbot) -> None:
    done = await reviewbot("run", "cases.jsonl")
    assert done.code == 0, done.err
    quality = next(line for line in done.out.splitlines() if line.startswith("reviewbot"))
    assert quality.split()[:2] == ["reviewbot", "100.0"]
    assert " 50.0 (" in quality
    assert "2 golden comments in 3 cases, 1 run) is too small" in done.text
    assert "expected cost: nothing" in done.err
    report = json.loads((reviewbot.folder / "eval-cases" / "report.json").read_text())
    assert report["contestants"][0]["scores"]["silence"] == 1.0
    again = await reviewbot("run", "cases.jsonl")
    assert again.out == done.out
    assert "to make" not in again.err


async def test_recorded_results_are_a_second_row(reviewbot: Reviewbot) -> None:
    found = [{"path": "cmd/server/main.go", "line": 1, "end_line": 1}]
    records = [{"case": "go-04", "comments": found, "cost_usd": 1.5}]
    (reviewbot.folder / "other.jsonl").write_text("\n".join(map(json.dumps, records)))
    done = await reviewbot(
        "run", "cases.jsonl", "--recorded", "other=other.jsonl", "--output", "out"
    )
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[1:3] for row in rows if row[:1] == ["other"]][-2] == ["3", "33.3"]
    assert "points against reviewbot" in done.out


async def test_varied_settings_are_rows_and_two_runs_are_compared(reviewbot: Reviewbot) -> None:
    run = ("run", "cases.jsonl", "--output")
    vary = ("--vary", "confidence=0.7,0.99", "--vary", "max_notes=3")
    done = await reviewbot(*run, "a", *vary)
    assert done.code == 0, done.err
    names = {line.split("  ")[0] for line in done.out.splitlines()}
    assert {"confidence=0.7 max_notes=3", "confidence=0.99 max_notes=3"} <= names
    assert (await reviewbot(*run, "b", "--vary", "confidence=0.99", "max_notes=3")).code == 0
    compared = await reviewbot("compare", "a", "b")
    assert compared.code == 0, compared.err
    assert "confidence=0.99 max_notes=3 against confidence=0.99 max_notes=3" in compared.text
    assert "No difference is significant" in compared.text


async def test_nothing_is_spent_without_a_yes(reviewbot: Reviewbot) -> None:
    async with FakeAnthropic(lambda _: Answer()) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        arguments = ("run", "cases.jsonl", "--output", "out")
        refused = await reviewbot(*arguments, **keys)
        assert (refused.code, fake.requests) == (2, [])
        assert "3 reviews to make; expected cost: about $" in refused.err
        assert "confirm it with --yes" in refused.err
        done = await reviewbot(*arguments, "--yes", **keys)
        assert (done.code, len(fake.requests)) == (0, 3)


async def test_examples_and_verification_vary_in_the_requests(reviewbot: Reviewbot) -> None:
    async with FakeAnthropic(lambda _: Answer()) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        vary = ("--vary", "context=0,10", "verify=on,off", "examples=0,3")
        done = await reviewbot("run", "cases.jsonl", "--yes", *vary, **keys)
    assert done.code == 0, done.err
    assert "context has no effect" in done.err
    names = {line.split("  ")[0] for line in done.out.splitlines()}
    assert len({name for name in names if name.startswith("context=")}) == 8
    shown = [one.text.count("<example>") for one in fake.requests]
    assert {count: shown.count(count) for count in shown} == {0: 12, 2: 12}


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 2), ("no\n", 2), ("", 2)])
async def test_somebody_at_a_terminal_is_asked(
    reviewbot: Reviewbot, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    async with FakeAnthropic(lambda _: Answer()) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        done = await reviewbot("run", "cases.jsonl", **keys)
    assert (done.code, len(fake.requests)) == (code, 0 if code else 3)


async def test_a_budget_leaves_reviews_for_a_later_run(reviewbot: Reviewbot) -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 1}
    async with FakeAnthropic(lambda _: Answer(usage=usage)) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        arguments = ("run", "cases.jsonl", "--yes", "--jobs", "1")
        cut = await reviewbot(*arguments, "--budget-usd", "0.01", **keys)
        assert (cut.code, len(fake.requests)) == (3, 1)
        assert "the budget is spent" in cut.err
        done = await reviewbot(*arguments, **keys)
        assert (done.code, len(fake.requests)) == (0, 3)
        assert "1 review made before: kept." in done.err
        assert "2 reviews to make" in done.err


async def test_failed_reviews_are_repeated_only_if_wanted(reviewbot: Reviewbot) -> None:
    arguments = ("run", "cases.jsonl", "--yes")
    async with FakeAnthropic(lambda _: StatusError(400)) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        failed = await reviewbot(*arguments, **keys)
        fake.respond = lambda _: Answer()
        same = await reviewbot(*arguments, **keys)
        again = await reviewbot(*arguments, "--retry-failed", **keys)
    for done in (failed, same):
        assert "3 of 3 reviews by reviewbot failed" in done.err
        assert "the first reason: " in done.err
    assert "failed" not in again.err
    valid = [done.out.split("first finding, s\n")[1].split()[2] for done in (failed, same, again)]
    assert valid == ["0.0", "0.0", "100.0"]


def verdict(request: Recorded) -> Answer:
    """The answer of a judge that accepts no pair, for a million tokens.

    The only comment is real and worth 2.
    """
    assert request.structured
    rating = {"id": 1, "real": True, "worth": 2, "same_as": 0, "why": "A test says so."}
    report = json.dumps({"verdicts": [{"number": 1, "answer": False}], "ratings": [rating]})
    return Answer(report=report, usage={"input_tokens": 1_000_000, "output_tokens": 1})


JUDGED = ("run", "cases.jsonl", "--model", "offline", "--judge", "claude-sonnet-5-5")


async def test_a_judge_decides_about_texts(reviewbot: Reviewbot) -> None:
    async with FakeAnthropic(verdict) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        refused = await reviewbot(*JUDGED, **keys)
        assert (refused.code, fake.requests) == (2, [])
        expected = "3 reviews and about 5 requests to judges to make; expected cost: about $"
        assert expected in refused.err
        done = await reviewbot(*JUDGED, "--yes", **keys)
        assert (done.code, len(fake.requests)) == (0, 2)
        again = await reviewbot(*JUDGED, **keys)
    assert again.out == done.out
    quality = next(line for line in done.out.splitlines() if line.startswith("reviewbot"))
    assert quality.split()[1] == "0.0"
    assert "most of the judges (claude-sonnet-5-5) find" in done.text
    price = cost_usd(lookup("claude-sonnet-5-5"), Usage(input=2_000_000, output=2))
    assert f"Requests to judges: {dollars(price)}." in done.text
    assert "claude-sonnet-5-5 rated the comments of 1 of 1 case" in done.text
    assert "1 distinct real problem, 1 of them must-fix" in done.text
    rows = [line.split() for line in done.out.splitlines()]
    assert ["reviewbot", "1", "100.0", "(100.0"] in [row[:4] for row in rows]


async def test_judges_count_against_the_budget(reviewbot: Reviewbot) -> None:
    judged = (*JUDGED, "--yes", "--jobs", "1", "--budget-usd", "0.01")
    async with FakeAnthropic(verdict) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        cut = await reviewbot(*judged, **keys)
        assert (cut.code, len(fake.requests)) == (3, 1)
        assert "the budget is spent; run again to ask the judges" in cut.err
        assert "Judges did not answer 1 request; run again" in cut.text
        done = await reviewbot(*judged, **keys)
    assert (done.code, len(fake.requests)) == (0, 2)


async def test_a_request_to_a_judge_that_failed_is_repeated_and_paid_for(
    reviewbot: Reviewbot,
) -> None:
    async with FakeAnthropic(lambda _: StatusError(400)) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        failed = await reviewbot(*JUDGED, "--yes", **keys)
        assert failed.code == 3
        assert "not judged: claude-sonnet-5-5 on sql-03: " in failed.err
        fake.respond = verdict
        assert (await reviewbot(*JUDGED, "--yes", **keys)).code == 0


OTHER = json.dumps(
    {"case": "go-04", "comments": [{"path": "a", "line": 1, "end_line": 1, "text": "x"}]}
)
"""A result of another tool."""


async def test_a_person_judges_in_a_file(reviewbot: Reviewbot) -> None:
    path = reviewbot.folder / "ratings.json"
    judged = ("run", "cases.jsonl", "--judge-file", "ratings.json")
    first = await reviewbot(*judged)
    assert first.code == 3
    assert "the comments to rate are in ratings.json, mixed and without names" in first.err
    assert "ratings.json lacks ratings for 1 case." in first.text
    assert "reviewbot" not in path.read_text()
    content = json.loads(path.read_text())
    content["cases"][0]["comments"][0].update(real=True, worth=2, why="It is injected.")
    path.write_text(json.dumps(content))
    done = await reviewbot(*judged)
    assert done.code == 0, done.err
    assert "ratings.json rated the comments of 1 of 1 case" in done.text
    report = json.loads((reviewbot.folder / "eval-cases" / "report.json").read_text())
    (problem,) = report["pool"]["problems"]
    assert (problem["case"], problem["why"]) == ("sql-03", "It is injected.")
    assert problem["found"] == {"reviewbot": 1}
    (reviewbot.folder / "other.jsonl").write_text(OTHER)
    more = (*judged, "--recorded", "other=other.jsonl")
    other = await reviewbot(*more)
    assert (
        other.code,
        "the comments on go-04 in ratings.json" in other.err,
    ) == (2, True)
    assert json.loads(path.read_text()) == content


async def test_a_judge_file_without_ratings_is_written_again_if_the_comments_changed(
    reviewbot: Reviewbot,
) -> None:
    path = reviewbot.folder / "ratings.json"
    judged = ("run", "cases.jsonl", "--judge-file", "ratings.json")
    assert (await reviewbot(*judged)).code == 3
    (reviewbot.folder / "other.jsonl").write_text(OTHER)
    assert (await reviewbot(*judged, "--recorded", "other=other.jsonl")).code == 3
    assert len(json.loads(path.read_text())["cases"]) == 2
    path.write_text('{"mine": true}')
    refused = await reviewbot(*judged)
    assert (refused.code, "was not written by --judge-file" in refused.err) == (2, True)
    assert path.read_text() == '{"mine": true}'


async def test_matching_by_middle_lines_is_named_and_not_compared_with_another(
    reviewbot: Reviewbot,
) -> None:
    assert (await reviewbot("run", "cases.jsonl")).code == 0
    arguments = ("run", "cases.jsonl", "--match", "middle", "--output", "middle")
    done = await reviewbot(*arguments)
    assert "by location alone, of their middle lines" in done.text
    compared = await reviewbot("compare", "eval-cases", "middle")
    assert (compared.code, "match comments by other rules" in compared.err) == (2, True)


async def test_held_out_cases_need_a_plan_and_are_reviewed_apart(reviewbot: Reviewbot) -> None:
    (reviewbot.folder / "plan.yml").write_text("metric: f1\nheld_out: [go-04]\n")
    arguments = ("run", "cases.jsonl")
    without = await reviewbot(*arguments, "--held-out")
    assert (without.code, "needs a plan" in without.err) == (2, True)
    tuning = await reviewbot(*arguments, "--plan", "plan.yml")
    assert "no held-out case was reviewed" in tuning.text
    assert "2 reviews to make" in tuning.err
    final = await reviewbot(*arguments, "--plan", "plan.yml", "--held-out")
    assert "only held-out cases were reviewed" in final.text
    assert "1 review to make" in final.err
    again = await reviewbot(*arguments, "--plan", "plan.yml", "--held-out")
    assert again.out == final.out


@pytest.mark.parametrize("remove", [False, True])
async def test_other_settings_in_the_same_folder_are_another_evaluation_of_held_out_cases(
    reviewbot: Reviewbot, *, remove: bool
) -> None:
    (reviewbot.folder / "plan.yml").write_text("metric: f1\nheld_out: [go-04]\n")
    arguments = ("run", "cases.jsonl", "--plan", "plan.yml", "--held-out", "--output", "final")
    first = await reviewbot(*arguments, "--vary", "confidence=0.7")
    assert "for the first time" in first.text
    if remove:
        shutil.rmtree(reviewbot.folder / "final")
    second = await reviewbot(*arguments, "--vary", f"confidence={0.7 if remove else 0.8}")
    assert "this is evaluation 2 of the held-out cases" in second.text


async def test_checks_say_what_a_changed_diff_loses(reviewbot: Reviewbot) -> None:
    done = await reviewbot("check", "cases.jsonl")
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines()]
    assert ["reviewbot", "repeated", "3", "1", "0.0", "(0.0", "to", "0.0)", "0"] in rows
    assert {row[1] for row in rows[1:4]} == {"repeated", "renamed", "reassured"}


async def test_a_missing_extra_is_one_sentence(
    reviewbot: Reviewbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eval_session, "EXTRA", ("numpy", "no_such_library"))
    for arguments in (("run", "cases.jsonl"), ("check", "cases.jsonl"), ("compare", "a", "b")):
        done = await reviewbot(*arguments)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "no_such_library is missing" in done.err
        assert install_command("eval") in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.jsonl",), "cannot read missing.jsonl"),
        (("cases.jsonl", "--recorded", "x"), "'x' must be NAME=VALUE"),
        (("cases.jsonl", "--command", "x='"), "No closing quotation"),
        (("cases.jsonl", "--vary", "x=1"), "--vary"),
        (("cases.jsonl", "--judge-file", "a/x", "--judge-file", "b/x"), "different names"),
        (("cases.jsonl", "--match", "text"), "invalid choice"),
        (("cases.jsonl", "--judge", "offline"), "the offline rules cannot judge"),
        (("cases.jsonl", "--model", "offline", "--judge", "claude-x"), "claude-x needs a key"),
        (("cases.jsonl", "--runs", "0"), "must be a number from 1 to 100"),
        (("cases.jsonl", "--runs", "00000005099"), "must be a number from 1 to 100"),
    ],
)
async def test_a_wrong_argument_is_an_error(
    reviewbot: Reviewbot, arguments: tuple[str, ...], message: str
) -> None:
    done = await reviewbot("run", *arguments)
    assert done.code == 2
    assert message in done.err
    assert "to make" not in done.err


async def test_requests_are_answered_from_a_folder(reviewbot: Reviewbot) -> None:
    model = ("run", "cases.jsonl", "--model", "claude-sonnet-5-5", "--vary", "verify=off")
    arguments = (*model, "--retry-failed", "--record", "by-hand")
    keys = {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    first = await reviewbot(*arguments, **keys)
    assert "none is sent" in first.err
    assert "no answer yet: " in first.err
    folder = reviewbot.folder / "by-hand"
    bodies = [*(folder / "requests").glob("*.json")]
    assert len(bodies) == 3
    for path in bodies:
        assert "===== SYSTEM =====" in path.with_suffix(".txt").read_text()
        report = {"findings": [], "files": [], "outcome": "complete"}
        (folder / "answers" / path.name).write_text(json.dumps(report))
    done = await reviewbot(*arguments, **keys)
    assert done.code == 0, done.err
    assert "failed" not in done.err
    assert "A folder answered the requests to models" in done.text
    without = await reviewbot(*model, "--yes", **keys)
    assert (without.code, "has changed since its results were made" in without.err) == (2, True)
    (reviewbot.folder / "file").write_text("")
    refused = await reviewbot(*arguments[:-1], "file", **keys)
    assert (refused.code, "cannot use file" in refused.err) == (2, True)
