"""The whole command measures models of known quality: it reports the truth that was put in."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.cli.main import main
from reviewbot.eval.cases import write_cases
from reviewbot.pipeline import workers
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.in_process import no_process
from tests.support.evaluations import added, case, golden
from tests.support.repositories import _alone

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.eval.cases import Case
    from tests.fake_anthropic import Recorded

__all__ = ["_alone"]

WEAK, STRONG = "claude-haiku-5-5", "claude-sonnet-5-5"
GOLDEN, WRONG = (3, 9, 15), (6, 12, 18)


@dataclass
class Truth:
    """What a model reports in each file: lines by path."""

    lines: dict[str, list[int]]

    @classmethod
    def drawn(
        cls, source: random.Random, cases: list[Case], *, recall: float, wrong: float
    ) -> Truth:
        """A model that finds a problem, and reports a wrong one, with these probabilities."""
        chance = {**dict.fromkeys(GOLDEN, recall), **dict.fromkeys(WRONG, wrong)}
        return cls(
            {
                f"{one.id}.py": [line for line, share in chance.items() if source.random() < share]
                for one in cases
            }
        )

    @property
    def found(self) -> int:
        return sum(line in GOLDEN for lines in self.lines.values() for line in lines)

    @property
    def comments(self) -> int:
        return sum(map(len, self.lines.values()))

    def answer(self, request: Recorded) -> Answer:
        return Answer(
            [_finding(path, line) for path in request.shown_paths for line in self.lines[path]]
        )


def _finding(path: str, line: int) -> dict[str, Any]:
    place = {"path": path, "quote": f"line_{line} = {line}", "line": line, "end_line": line}
    return finding(**place, title=f"Problem {line} is wrong", scenario=f"Number {line} breaks it.")


@pytest.mark.parametrize("size", [4, pytest.param(60, marks=pytest.mark.slow)])
async def test_two_models_get_the_scores_that_they_were_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    monkeypatch.setattr(workers, "own_pool", no_process)
    cases = []
    for path in (f"case_{number}.py" for number in range(size)):
        wanted = [golden(line, path=path) for line in GOLDEN]
        cases.append(case(path.removesuffix(".py"), *wanted, diff=added(path, 20)))
    source = random.Random(5)  # noqa: S311 - a fixed sequence
    truth = {
        WEAK: Truth.drawn(source, cases, recall=0.3, wrong=0.4),
        STRONG: Truth.drawn(source, cases, recall=0.7, wrong=0.2),
    }
    (tmp_path / "cases.jsonl").write_text(write_cases(cases))
    async with FakeAnthropic(lambda request: truth[request.model].answer(request)) as fake:
        monkeypatch.setenv("ANTHROPIC_API_KEY", fake.key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.base_url)
        vary = ["--vary", f"model={WEAK},{STRONG}", "verify=off"]
        arguments = ["eval", "run", "cases.jsonl", "--output", "out", "--yes", *vary]
        assert await asyncio.to_thread(main, arguments) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for row, (name, known) in zip(report["contestants"], truth.items(), strict=True):
        assert row["name"] == f"model={name} verify=off"
        scores = row["scores"]
        assert scores["micro"]["recall"] == known.found / (3 * size)
        assert scores["micro"]["precision"] == known.found / known.comments
        assert scores["per_case"] == known.comments / size
        assert (scores["valid"], scores["inline"], scores["duplicates"]) == (1.0, 1.0, 0.0)
    (comparison,) = report["comparisons"]
    change = comparison["differences"]["recall"]
    expected = (truth[STRONG].found - truth[WEAK].found) / (3 * size)
    assert change["value"] == pytest.approx(expected)
    assert change["low"] <= 0.4 <= change["high"]
    assert size < 60 or change["low"] > 0
    assert ("*" in capsys.readouterr().out.split("points against")[1]) == (size == 60)
