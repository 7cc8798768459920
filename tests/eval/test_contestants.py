"""Contestants: reviewbot with a model of known quality, and recorded results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.git_repository import open_repository
from reviewbot.core.events.events import Usage
from reviewbot.errors import SourceError
from reviewbot.eval import contestants
from reviewbot.eval.cases import Case, diff_text
from reviewbot.eval.contestants import OwnReview, check_names, recorded
from reviewbot.eval.history import History
from reviewbot.eval.scores import score_all, scores_of
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.models.linters import batches, linters
from reviewbot.models.linters.programs import find_programs
from reviewbot.pipeline.run import run_review
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError, finding
from tests.fake_anthropic.replies import CHARS_PER_TOKEN
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.in_process import parser
from tests.models.linters.samples import need
from tests.support.evaluations import added, case, golden, result
from tests.support.repositories import _alone, git, write
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event
    from tests.fake_anthropic import Recorded

__all__ = ["_alone"]

CASES = tuple(case(f"case-{number}", golden(2), golden(10)) for number in range(4))
CLEAN = case("clean")
FIELDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}


def on(line: int, **changes: Any) -> dict[str, Any]:
    """Return a finding on a line of a.py."""
    place = {"path": "a.py", "quote": f"line_{line} = {line}", "line": line, "end_line": line}
    words = {"title": f"Problem {line} is wrong", "scenario": f"Number {line} breaks it."}
    return finding(**(place | words | changes))


def settings_for(fake: FakeAnthropic, folder: Path, **flags: Any) -> Settings:
    env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
    env["REVIEWBOT_STATE_DIR"] = str(folder)
    return load(env=env, linters=False, **flags)


async def scores_with(
    folder: Path,
    answers: list[Answer],
    cases: tuple[Case, ...],
    verify: Callable[[Recorded], Answer] | None = None,
) -> tuple[Any, Any, Usage]:
    """Return the scores of a model that gives these answers, the results, and what it used."""
    async with FakeAnthropic(verify=verify) as fake:
        fake.enqueue(*answers)
        settings = settings_for(fake, folder, verify=verify is not None)
        contestant = OwnReview("reviewbot", settings, parser())
        results = [await contestant.review(one, 1) for one in cases]
    used = Usage()
    for one in (*fake.requests, *fake.verifications):
        reported = {name: one.usage.get(name, 0) for name in FIELDS}
        used += Usage(**{FIELDS[name]: tokens for name, tokens in reported.items()})
    return scores_of(score_all(cases, results)), results, used


async def test_a_model_of_known_quality_gets_the_scores_it_was_given(tmp_path: Path) -> None:
    # It finds 5 of 8, and reports 3 wrong ones, of which 1 in the clean case.
    answers = [
        Answer([on(2), on(10)]),
        Answer([on(2), on(18)]),
        Answer([on(10), on(6)]),
        Answer([on(2)]),
        Answer([on(15)]),
    ]
    scores, results, used = await scores_with(tmp_path, answers, (*CASES, CLEAN))
    assert scores.micro["precision"] == 5 / 8
    assert scores.micro["recall"] == 5 / 8
    assert scores.silence == 0.0
    assert (scores.valid, scores.inline, scores.refuted) == (1.0, 1.0, None)
    written = sum(-(-len(one.text(["a.py"])) // CHARS_PER_TOKEN) for one in answers)
    used += Usage(output=written)
    assert scores.tokens == used.input + used.output + used.cache_read + used.cache_write > 0
    assert scores.cost_usd == pytest.approx(cost_usd(lookup("claude-sonnet-5-5"), used))
    assert [one.error for one in results] == [None] * 5
    assert scores.usd_per_found == pytest.approx(scores.cost_usd / 5)
    assert scores.first_finding_s is not None


async def test_refuted_findings_are_counted_and_not_shown(tmp_path: Path) -> None:
    def verify(request: Recorded) -> Answer:
        one, other = asked(request)
        return says(verdict(one), verdict(other, "wrong"))

    scores, (reviewed,), used = await scores_with(
        tmp_path, [Answer([on(2), on(10, severity="warning", confidence=0.5)])], CASES[:1], verify
    )
    assert (reviewed.judged, reviewed.refuted) == (2, 1)
    read = used.input + used.cache_read + used.cache_write
    assert scores.tokens > read, "the tokens of the verification are among them"
    assert (scores.refuted, scores.micro["recall"]) == (1 / 2, 1 / 2)


async def test_a_review_that_fails_is_a_result_without_valid_output(tmp_path: Path) -> None:
    scores, (reviewed,), _ = await scores_with(tmp_path, [StatusError(400)], CASES[:1])  # type: ignore[list-item]
    assert "a.py" in reviewed.error
    assert (scores.valid, scores.micro["recall"]) == (0.0, 0.0)


async def test_a_review_that_did_not_read_the_source_files_is_neither_valid_nor_silent() -> None:
    clean = case("clean", diff=added("a.zig", 3))
    contestant = OwnReview("rules", load(model="offline", linters=False), parser())
    found = await contestant.review(clean, 1)
    assert found.error is not None
    assert "a.zig" in found.error
    scores = scores_of(score_all([clean], [found]))
    assert (scores.valid, scores.silence) == (0.0, 0.0)


async def test_what_a_review_cost_before_an_error_is_part_of_the_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: Any, **named: Any) -> AsyncIterator[Event]:
        async for event in run_review(*arguments, **named):
            if event.type == "review.finished":
                raise SourceError("The disk is full.")
            yield event

    (whole,) = (await scores_with(tmp_path, [Answer([on(2)])], CASES[:1]))[1]
    monkeypatch.setattr(contestants, "run_review", broken)
    (cut,) = (await scores_with(tmp_path, [Answer([on(2)])], CASES[:1]))[1]
    assert cut.error == "The disk is full."
    assert (cut.comments, cut.tokens, cut.cost_usd) == (
        whole.comments,
        whole.tokens,
        whole.cost_usd,
    )
    assert whole.tokens > 0


async def test_held_back_findings_are_not_comments(tmp_path: Path) -> None:
    answers = [Answer([on(2, scenario=" "), on(10)])]
    _, (reviewed,), _ = await scores_with(tmp_path, answers, CASES[:1])
    assert [one.line for one in reviewed.comments] == [10]


async def test_the_cost_is_estimated_and_settings_decide_the_identity(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        one = OwnReview("a", settings_for(fake, tmp_path), parser())
        same = OwnReview("b", settings_for(fake, tmp_path, jobs=3), parser())
        other = OwnReview("c", settings_for(fake, tmp_path, context_lines=0), parser())
    offline = OwnReview("d", load(model="offline"), parser())
    estimate = one.estimate(CASES[0])
    assert estimate is not None
    assert estimate > 0
    assert offline.estimate(CASES[0]) == 0
    assert one.spec == same.spec != other.spec
    assert fake.key not in one.spec


def a_case_with_a_repository() -> Case:
    """A case whose repository is clones/o+r."""
    folder = Path("clones/o+r")
    folder.mkdir(parents=True)
    git("-C", str(folder), "init", "--quiet")
    text = "".join(f"line_{number} = {number}\n" for number in range(1, 41))
    for content in (text, text.replace("line_20 = 20", "line_20 = 2")):
        write(content, f"{folder}/a.py")
        git("-C", str(folder), "add", ".")
        git("-C", str(folder), "commit", "--quiet", "-m", "Fix it")
    head, base = (one.id for one in History(folder).commits(limit=2))
    diff = diff_text(open_repository(folder, span=f"{base}..{head}").changes())
    return Case("x", diff, repository="o/r", base=base, head=head)


async def test_repositories_give_the_hunks_context() -> None:
    one = a_case_with_a_repository()
    shown = []
    async with FakeAnthropic(lambda _: Answer()) as fake:
        settings = settings_for(fake, Path("state"))
        none = settings_for(fake, Path("state"), context_lines=0)
        clones = Path("clones")
        for contestant in (
            OwnReview("alone", settings, parser()),
            OwnReview("context", settings, parser(), clones),
            OwnReview("none", none, parser(), clones),
        ):
            assert (await contestant.review(one, 1)).error is None
            shown.append("line_12 = 12" in fake.requests[-1].text)
        gone = await contestant.review(replace(one, repository="o/gone"), 1)
    assert shown == [False, True, False]
    assert gone.error == "o/gone is not in clones"


async def test_requests_of_an_evaluation_list_all_results_of_linters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("ruff")
    monkeypatch.setattr(linters, "find_programs", find_programs)
    monkeypatch.setattr(batches, "REQUEST_WAIT_S", 0.0)
    one = Case("x", added().replace("line_1 = 1", "x = unknown"))
    async with FakeAnthropic(lambda _: Answer()) as fake:
        settings = replace(settings_for(fake, tmp_path), linters=True)
        assert (await OwnReview("reviewbot", settings, parser()).review(one, 1)).error is None
        assert "line 1 (ruff/F821)" in fake.requests[0].text


def lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
    return path


async def test_recorded_results_are_played_run_by_run(tmp_path: Path) -> None:
    here = {"path": "a.py", "line": 2, "end_line": 2}
    file = lines(
        tmp_path / "other.jsonl",
        {"case": "case-0", "comments": [here], "cost_usd": 0.1},
        {"case": "case-0", "comments": []},
    )
    other = recorded("other", file)
    assert other.estimate(CASES[0]) == 0
    first, second, third = [await other.review(CASES[0], run) for run in (1, 2, 3)]
    assert (first.contestant, first.run, len(first.comments), first.cost_usd) == (
        "other",
        1,
        1,
        0.1,
    )
    assert (second.run, second.comments) == (2, ())
    assert (third.run, third.comments) == (3, ())
    assert (await other.review(CASES[1], 1)).error == "The case was not recorded."


@pytest.mark.parametrize(
    "text",
    [
        "[]\n",
        '{"comments": []}\n',
        "\n",
        '{"case": "a", "cost_usd": -5}\n',
        '{"case": "a", "judged": 1, "refuted": 2}\n',
    ],
)
def test_a_file_without_results_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"^other.jsonl"):
        recorded("other", path)


def test_contestants_need_different_names(tmp_path: Path) -> None:
    file = lines(tmp_path / "other.jsonl", {"case": "case-0"})
    with pytest.raises(SourceError, match="two contestants have the name x"):
        check_names([recorded("x", file), recorded("x", file)])


def test_results_are_those_of_named_cases() -> None:
    assert score_all(CASES, [result("unknown")]) == []
