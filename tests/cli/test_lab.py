"""``reviewbot lab``: sources, concepts, the page, and a model."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from reviewbot.cli.lab import CONCEPTS
from reviewbot.cli.main import main
from reviewbot.lab.subject import demo_diff
from reviewbot.lab.terminal import SCREEN
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError, StreamError
from tests.record_streams import FILES, FOUND
from tests.support.commands import run_command
from tests.support.forks import ROOT
from tests.support.repositories import _alone, write
from tests.support.reviews import added

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["_alone"]

BAD = added("app.py", "def drop(orders):", "    for key in orders:", "        del orders[key]")


def test_the_diff_of_the_package_is_the_demo_of_the_project() -> None:
    assert demo_diff() == (ROOT / "fixtures" / "demo.diff").read_bytes()


@pytest.mark.parametrize("concept", CONCEPTS)
def test_each_concept_fits_a_screen_without_a_model(
    concept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", concept]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(concept.capitalize())
    assert len(shown.splitlines()) <= 40
    assert max(map(len, shown.splitlines())) <= 100


def test_a_diff_of_the_user_is_reviewed_by_the_offline_rules(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lab", "review", write(BAD)]) == 0
    shown = capsys.readouterr().out
    assert "The offline rules reviewed this diff." in shown
    assert "changed while it is iterated (app.py)" in shown
    assert "none: no server answered" in shown


def test_the_stream_of_a_diff_of_the_user_is_a_replay_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lab", "stream", write(BAD)]) == 0
    assert "A replay of a recorded stream about the demo." in capsys.readouterr().out


@pytest.mark.parametrize("concept", CONCEPTS)
def test_each_concept_is_one_screen(
    concept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["lab", concept]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= SCREEN


def test_without_findings_the_cost_is_that_of_the_demo_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lab", "cost", write(added("app.py", "total = 1"))]) == 0
    assert "the findings are those of the demo" in " ".join(capsys.readouterr().out.split())


def test_a_diff_can_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["lab", "tokens", "-"]) == 0
    assert "app" in capsys.readouterr().out


def test_the_page_has_all_concepts(tmp_path: Path) -> None:
    assert main(["lab", write(BAD), "--html", str(tmp_path / "lab.html")]) == 0
    page = (tmp_path / "lab.html").read_text("utf-8")
    assert all(f'<section id="{concept}"' in page for concept in CONCEPTS)
    assert "on <strong>x.diff</strong>" in page


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["lab"], "name a concept"),
        (["lab", "speed", "a.diff"], "no such concept: speed"),
        (["lab", "stream", "--live", "--model", "offline"], "--live needs a model"),
    ],
)
def test_a_wrong_command_names_the_remedy(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert problem in capsys.readouterr().err


def test_a_diff_that_no_model_would_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "tokens", write(added("package-lock.json", "{}"))]) == 2
    assert "no file that a model would read" in capsys.readouterr().err


@pytest.mark.slow
async def test_a_live_review_measures_the_stream_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "demo.diff").write_bytes(demo_diff())
    async with FakeAnthropic() as fake:
        fake.enqueue(Answer(FOUND, FILES, pace=0.01))
        done = await run_command(
            tmp_path,
            *("lab", "stream", "demo.diff", "--live", "--model", "claude-sonnet-5-5"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert done.code == 0, done.err
    assert "claude-sonnet-5-5 reviewed this diff just now." in done.text
    assert "streamed" in done.text


@pytest.mark.slow
async def test_a_model_that_does_not_answer_is_told_and_the_replay_does_not_stand_in(
    tmp_path: Path,
) -> None:
    async with FakeAnthropic(lambda _: StatusError(400, "no credit")) as fake:
        shown, missing = [
            await run_command(
                tmp_path,
                *("lab", concept, "--live", "--model", "claude-sonnet-5-5"),
                ANTHROPIC_API_KEY=fake.key,
                ANTHROPIC_BASE_URL=fake.base_url,
            )
            for concept in ("review", "stream")
        ]
    assert (shown.code, missing.code) == (3, 2)
    assert "incomplete: " in shown.text
    assert "the model did not answer: " in missing.err
    assert missing.out == ""


@pytest.mark.slow
async def test_a_failed_attempt_is_no_part_of_the_stream(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        fake.enqueue(Answer(FOUND, error=StreamError()), Answer(FOUND, FILES))
        done = await run_command(
            tmp_path,
            *("lab", "stream", "--live", "--model", "claude-sonnet-5-5"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert done.code == 0, done.err
    report = Answer(FOUND, FILES).text()
    assert f"pieces of the report {-(-len(report) // 16)}" in done.text


async def test_the_endpoint_counts_the_tokens(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        done = await run_command(
            tmp_path,
            *("lab", "tokens", "--live", "--model", "claude-sonnet-5-5"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert len(fake.counted) == 1
    assert fake.requests == []
    assert "The endpoint counts" in done.text


@pytest.mark.slow
async def test_a_model_that_accepts_a_temperature_answers_at_several(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text("models: {qwen: {sampling: true}}", "utf-8")
    async with FakeAnthropic(
        lambda _: Answer(call=False, preamble="It skips."), models={"qwen"}, accepts={"sampling"}
    ) as fake:
        done = await run_command(
            tmp_path,
            *("lab", "temperature", "--live", "--model", "qwen", "--config", "own.yml"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert [one.body["temperature"] for one in fake.requests] == [0, 0, 0, 0.5, 0.5, 0.5, 1, 1, 1]
    assert "Temperature 0.5 3 of 3 It skips." in done.text


async def test_a_model_that_accepts_no_temperature_is_not_asked(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        done = await run_command(
            tmp_path,
            *("lab", "temperature", "--live", "--model", "claude-sonnet-5-5"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert fake.requests == []
    assert "since it gets no temperature" in done.text
