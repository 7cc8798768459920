"""``reviewbot eval consistency``: scores of models whose wobble is known."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.cli.main import main
from reviewbot.core.prompt.templates import prompt_version
from reviewbot.lab.subject import demo_diff
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.record_lab import REPORTED
from tests.support.commands import Done, environment_in, run_command
from tests.support.forks import start_fork
from tests.support.repositories import _alone, write
from tests.support.reviews import added

if TYPE_CHECKING:
    from tests.fake_anthropic.requests import Recorded
    from tests.support.forks import Fork

__all__ = ["_alone"]

OWN = "verify: false\nmodels:\n  qwen: {sampling: true}\n"
BAD = added("app.py", "def drop(orders):", "    for key in orders:", "        del orders[key]")


class Wobble:
    """A model that reports each of its findings with a probability, by the temperature."""

    def __init__(self, probabilities: dict[float, float]) -> None:
        self.probabilities = probabilities
        self.answers: dict[float, list[frozenset[str]]] = {one: [] for one in probabilities}
        self._chance = random.Random(7)  # noqa: S311 - a simulation

    def __call__(self, request: Recorded) -> Answer:
        if "This is a test." in request.text:
            return Answer()
        temperature = request.body.get("temperature", 0)
        share = self.probabilities[temperature]
        found = [one for one in REPORTED if self._chance.random() < share]
        self.answers[temperature].append(frozenset(one["title"] for one in found))
        return Answer(found)

    def truth(self, temperature: float) -> float:
        """The mean index of the answers that were given."""
        pairs = combinations(self.answers[temperature], 2)
        return fmean(len(a & b) / len(a | b) if a | b else 1.0 for a, b in pairs)


def command(
    folder: Path, fake: FakeAnthropic, *arguments: str, model: str = "qwen"
) -> tuple[list[str], dict[str, str]]:
    """Return the command on the demo, with its variables."""
    (folder / "demo.diff").write_bytes(demo_diff())
    (folder / "own.yml").write_text(OWN, "utf-8")
    given = ["--model", model, "--config", "own.yml", "--yes", "--output", "out", *arguments]
    keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
    return ["eval", "consistency", *given], keys


async def run(
    folder: Path, fake: FakeAnthropic, *arguments: str, model: str = "qwen"
) -> tuple[Done, list[dict[str, Any]]]:
    """Run the command on the demo; also return the scores that it wrote."""
    words, keys = command(folder, fake, *arguments, model=model)
    done = await run_command(folder, *words, **keys)
    path = folder / "out" / "scores.json"
    return done, json.loads(path.read_text("utf-8"))["scores"] if path.exists() else []


@pytest.mark.slow
async def test_the_scores_are_those_of_the_answers_at_each_temperature(tmp_path: Path) -> None:
    wobble = Wobble({0: 1.0, 1: 0.6})
    async with FakeAnthropic(wobble, models={"qwen"}, accepts={"sampling"}) as fake:
        done, scores = await run(tmp_path, fake, "demo.diff", "--temperatures", "0,1")
    assert done.code == 0, done.err
    assert [one["setting"] for one in scores] == ["temperature=0", "temperature=1"]
    assert [one["by_id"]["value"] for one in scores] == [1, pytest.approx(wobble.truth(1))]
    assert scores[1]["findings"] == pytest.approx(fmean(map(len, wobble.answers[1])))
    assert scores[1]["by_id"]["value"] == pytest.approx(0.6 / 1.4, abs=0.15)
    assert "temperature as named" in done.text


async def test_free_prompts_are_scored_by_their_words(tmp_path: Path) -> None:
    stories = iter(f"Once {number} there" for number in range(10))

    def respond(request: Recorded) -> Answer:
        is_fact = "planets" in request.text
        text = "Mercury, Venus, Earth" if is_fact else next(stories)
        return Answer(call=False, preamble=text, stop_reason="end_turn")

    prompts = ("--prompt", "fact=Name the planets.", "--prompt", "story=Tell a story.")
    async with FakeAnthropic(respond, models={"qwen"}) as fake:
        done, scores = await run(tmp_path, fake, *prompts, "--max-tokens", "50")
    assert [one["task"] for one in scores] == ["fact", "story"]
    assert [one["by_text"]["value"] for one in scores] == [1, pytest.approx(2 / 4)]
    assert [one["by_id"] for one in scores] == [None, None]
    assert {request.body["max_tokens"] for request in fake.requests} == {50}
    assert "Length: at most 50 tokens." in done.text


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
async def test_an_interrupted_command_keeps_its_answers_and_asks_for_the_others_later(
    tmp_path: Path,
) -> None:
    started: list[Fork] = []

    def respond(request: Recorded) -> Answer:
        del request
        told = Answer(call=False, preamble="Once upon a time", stop_reason="end_turn")
        if len(fake.requests) == 5:
            started[0].send_signal(signal.SIGINT)
            return replace(told, pace=9.0)
        return told

    async with FakeAnthropic(respond, models={"qwen"}, accepts={"sampling"}) as fake:
        prompt = ("--prompt", "story=Tell a story.", "--jobs", "1")
        words, keys = command(tmp_path, fake, *prompt)
        with (tmp_path / "log").open("ab") as log:
            environment = environment_in(tmp_path, **keys)
            started.append(
                await start_fork(words, environment=environment, folder=tmp_path, log=log)
            )
        assert await asyncio.wait_for(started[0].wait(), 20) == 130
        done, (score,) = await run(tmp_path, fake, *prompt)
        assert len(fake.requests) == 5 + 6
    assert done.code == 0, done.err
    assert "4 answers made before: kept." in done.err
    assert (score["runs"], score["by_text"]["value"]) == (10, 1)


@pytest.mark.slow
async def test_wordings_of_the_prompt_are_compared(tmp_path: Path) -> None:
    sure, unsure = Wobble({0: 1.0}), Wobble({0: 0.5})
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "system-compact.md.j2").write_text("Guess.\n", "utf-8")

    def respond(request: Recorded) -> Answer:
        return (unsure if "Guess." in str(request.body["system"]) else sure)(request)

    async with FakeAnthropic(respond, models={"qwen"}) as fake:
        done, scores = await run(tmp_path, fake, "demo.diff", "--templates", "shipped,own")
    assert done.code == 0, done.err
    assert [one["by_id"]["value"] for one in scores] == [1, pytest.approx(unsure.truth(0))]
    versions = {one["setting"].partition(" ")[2] for one in scores}
    assert f"({prompt_version()})" in versions
    assert len(versions) == 2


@pytest.mark.slow
async def test_failed_runs_are_no_part_of_a_score_and_are_told(tmp_path: Path) -> None:
    answers = Wobble({0: 1.0})
    count = iter(range(100))

    def respond(request: Recorded) -> Answer | StatusError:
        return StatusError(401) if next(count) == 3 else answers(request)

    async with FakeAnthropic(respond, models={"qwen"}) as fake:
        done, (score,) = await run(tmp_path, fake, "demo.diff", "--jobs", "1")
    assert done.code == 3
    assert (score["runs"], score["failed"], score["by_id"]) == (9, 1, None)
    assert "1 of 10 reviews by qwen failed (--retry-failed repeats them)" in done.err
    assert "fewer than 10 complete runs has no score" in done.text


async def test_a_server_that_refuses_the_temperature_is_not_compared(tmp_path: Path) -> None:
    async with FakeAnthropic(lambda _: Answer(), models={"qwen"}) as fake:
        done, scores = await run(tmp_path, fake, "demo.diff", "--temperatures", "0,1")
    assert done.code == 2
    assert "refuses temperature" in done.err
    assert scores == []


@pytest.mark.slow
def test_the_offline_rules_are_consistent_and_cost_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["eval", "consistency", write(BAD), "--model", "offline", "--plot", "scores.svg"]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "review, by finding" in Path("scores.svg").read_text("utf-8")
    assert "1.00 +-0.00" in shown.out
    assert "10 reviews to make; expected cost: nothing." in shown.err
    assert main(command) == 0
    again = capsys.readouterr()
    assert (again.out, "to make" in again.err) == (shown.out, False)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "give either a diff"),
        (["x.diff", "--prompt", "a=b"], "give either a diff"),
        (["--prompt", "a=b", "--templates", "shipped"], "give a diff instead"),
        (["x.diff", "--model", "qwen", "--templates", "nowhere"], "has no template"),
        (["--prompt", "planets"], "must be NAME=VALUE"),
        (["--prompt", "a=b", "--prompt", "a=c"], "two prompts have the same name"),
        (["x.diff", "--models", "offline,offline"], "two contestants have the name offline"),
        (
            ["x.diff", "--model", "claude-sonnet-5-5", "--temperatures", "0,1"],
            "gets no temperature",
        ),
        (["x.diff", "--model", "qwen", "--temperatures", "hot"], "must be numbers"),
        (["x.diff", "--model", "qwen", "--temperatures", "", "--yes"], "must be numbers"),
        (["--prompt", "a=b", "--model", "offline"], "need a model"),
        (["x.diff", "--model", "claude-sonnet-5-5"], "confirm it with --yes"),
        (["x.diff", "--model", "claude-sonnet-5-5", "--plot", "a.png"], "must end with .svg"),
        (["x.diff", "--model", "claude-sonnet-5-5", "--plot", "no/a.svg"], "cannot write no/a.svg"),
    ],
)
def test_a_wrong_command_names_the_remedy(
    arguments: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "fake")
    write(BAD)
    assert main(["eval", "consistency", *arguments]) == 2
    assert problem in capsys.readouterr().err


def test_fewer_than_ten_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["eval", "consistency", "x.diff", "--runs", "9"])
    assert "must be a number from 10" in capsys.readouterr().err
