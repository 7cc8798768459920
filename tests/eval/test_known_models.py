"""The whole command measures models of known quality: it reports the truth that was put in."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.cli.main import main
from reviewbot.core.events.events import Usage
from reviewbot.eval.cases import write_cases
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.pipeline import workers
from tests.fake_anthropic import Answer, FakeAnthropic, StatusError, finding
from tests.fake_anthropic.replies import CHARS_PER_TOKEN
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
READ = 1_000
"""Input tokens that the server reports for a request."""


@dataclass
class Truth:
    """What a model reports in each file: lines by path. It fails on the file ``broken``.

    ``severity`` is that of all its findings, and ``used`` what it used so far.
    """

    lines: dict[str, list[int]]
    severity: str
    broken: str = ""
    used: Usage = field(default_factory=Usage)

    @classmethod
    def drawn(
        cls, source: random.Random, cases: list[Case], *, recall: float, wrong: float, severity: str
    ) -> Truth:
        """A model that finds a problem, and reports a wrong one, with these probabilities."""
        chance = {**dict.fromkeys(GOLDEN, recall), **dict.fromkeys(WRONG, wrong)}
        lines = {
            f"{one.id}.py": [
                line
                for line, share in chance.items()
                if source.random() < share and (one.golden or line in WRONG)
            ]
            for one in cases
        }
        return cls(lines, severity)

    @property
    def found(self) -> int:
        return sum(line in GOLDEN for lines in self.lines.values() for line in lines)

    @property
    def comments(self) -> int:
        return sum(map(len, self.lines.values()))

    def answer(self, request: Recorded) -> Answer | StatusError:
        (path,) = request.shown_paths
        if path == self.broken:
            return StatusError(400)
        lines = self.lines[path]
        answer = Answer([self._finding(path, line) for line in lines], usage={"input_tokens": READ})
        written = -(-len(answer.text([path])) // CHARS_PER_TOKEN)
        self.used += Usage(input=READ, output=written)
        return answer

    def _finding(self, path: str, line: int) -> dict[str, Any]:
        place = {"path": path, "quote": f"line_{line} = {line}", "line": line, "end_line": line}
        words = {"title": f"Problem {line} is wrong", "scenario": f"Number {line} breaks it."}
        return finding(**place, **words, severity=self.severity)


@pytest.mark.parametrize("size", [4, pytest.param(60, marks=pytest.mark.slow)])
async def test_two_models_get_the_scores_that_they_were_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    monkeypatch.setattr(workers, "own_pool", no_process)
    cases = []
    for number in range(size):
        path, clean = f"case_{number}.py", number % 4 == 3
        wanted = [golden(one, path=path, severity="error") for one in GOLDEN if not clean]
        cases.append(case(path.removesuffix(".py"), *wanted, diff=added(path, 20)))
    source = random.Random(5)  # noqa: S311 - a fixed sequence
    truth = {
        WEAK: Truth.drawn(source, cases, recall=0.3, wrong=0.4, severity="warning"),
        STRONG: Truth.drawn(source, cases, recall=0.7, wrong=0.2, severity="error"),
    }
    truth[WEAK].broken, truth[WEAK].lines["case_0.py"] = "case_0.py", []
    (tmp_path / "cases.jsonl").write_text(write_cases(cases))
    async with FakeAnthropic(lambda request: truth[request.model].answer(request)) as fake:
        monkeypatch.setenv("ANTHROPIC_API_KEY", fake.key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.base_url)
        vary = ["--vary", f"model={WEAK},{STRONG}", "verify=off"]
        arguments = ["eval", "run", "cases.jsonl", "--output", "out", "--yes", *vary]
        assert await asyncio.to_thread(main, arguments) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    problems = len(GOLDEN) * (size - size // 4)
    for row, (name, known) in zip(report["contestants"], truth.items(), strict=True):
        assert row["name"] == f"model={name} verify=off"
        scores = row["scores"]
        assert scores["micro"]["recall"] == known.found / problems
        assert scores["micro"]["precision"] == known.found / known.comments
        assert scores["micro"]["f1"] == 2 * known.found / (known.comments + problems)
        assert scores["per_case"] == known.comments / size
        assert scores["per_100_lines"] == pytest.approx(100 * known.comments / (20 * size))
        silent = sum(not known.lines[f"{one.id}.py"] for one in cases if not one.golden)
        assert scores["silence"] == silent / (size // 4)
        assert (scores["inline"], scores["duplicates"]) == (1.0, 0.0)
        assert scores["severity_error"] == (1.0 if name == WEAK else 0.0)
        assert scores["valid"] == (1 - 1 / size if name == WEAK else 1.0)
        assert scores["tokens"] == known.used.input + known.used.output
        cost = cost_usd(lookup(name), known.used)
        assert scores["cost_usd"] == pytest.approx(cost)
        assert scores["usd_per_found"] == pytest.approx((cost or 0.0) / known.found)
    (comparison,) = report["comparisons"]
    change = comparison["differences"]["recall"]
    expected = (truth[STRONG].found - truth[WEAK].found) / problems
    assert change["value"] == pytest.approx(expected)
    assert change["low"] <= 0.4 <= change["high"]
    assert size < 60 or change["low"] > 0
    assert ("*" in capsys.readouterr().out.split("points against")[1]) == (size == 60)
