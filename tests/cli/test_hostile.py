"""Hostile files on the command line: each is reported, and the rest of the diff is reviewed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from reviewbot.models.offline.parser_process import FILE_S
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.hostile import CRASH, ENDLESS, GOOD, LOOP, STOPPED, TOO_LONG
from tests.models.scripted import item
from tests.support.commands import run_command
from tests.support.reviews import numbered

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EVENTS = "events.ndjson"


def started(folder: Path, diff: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a review of ``diff`` whose output is NDJSON."""
    (folder / "x.diff").write_text(diff, "utf-8", newline="\n")
    with (folder / EVENTS).open("w", encoding="utf-8") as events:
        return subprocess.Popen(
            [*(sys.executable, "-m", "reviewbot", "review", "x.diff"), "--format", "ndjson"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(ROOT),
                **environment,
            },
            stdout=events,
        )


def events_of(process: subprocess.Popen[bytes], folder: Path) -> list[dict[str, Any]]:
    """Wait for the end of a review and return the events that it printed."""
    process.wait(timeout=60)
    return [json.loads(line) for line in (folder / EVENTS).read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_a_file_that_loops_and_one_that_crashes_are_partly_read_and_the_rest_is_reviewed(
    tmp_path: Path,
) -> None:
    process = started(tmp_path, LOOP + CRASH + GOOD)
    events = events_of(process, tmp_path)
    assert process.returncode == 3
    end = events[-1]
    assert (end["type"], end["outcome"]) == ("review.finished", "incomplete")
    covered = {one["path"]: (one["status"], one.get("reason")) for one in end["coverage"]}
    status, reason = covered.pop("crash.tsx")
    assert status == "partly"
    assert reason in STOPPED
    assert covered == {"loop.ts": ("partly", TOO_LONG), "good.py": ("reviewed", None)}
    findings = [one["finding"] for one in events if one["type"] == "finding"]
    assert sorted((one["path"], one["rule"]) for one in findings) == [
        ("good.py", "python/eval"),
        ("good.py", "ruff/F821"),
    ]
    assert not [one for one in events if one["type"] == "chunk.retrying"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.sample(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_review_in_the_middle_of_an_endless_parse(
    tmp_path: Path, number: int
) -> None:
    process = started(tmp_path, LOOP)
    parsers: list[psutil.Process] = []

    def busy() -> bool:
        if "chunk.started" not in (tmp_path / EVENTS).read_text("utf-8"):
            return False  # the parser's process may be importing
        parsers[:] = psutil.Process(process.pid).children()
        try:
            return any(one.cpu_times().user > 0.3 for one in parsers)
        except psutil.NoSuchProcess:  # a git that has ended
            return False

    wait_until(busy)
    begun = time.monotonic()
    process.send_signal(number)
    events = events_of(process, tmp_path)
    assert time.monotonic() - begun < FILE_S - 1  # the parse would have gone on for longer
    assert process.returncode == 130
    assert events[-1]["outcome"] == "cancelled"
    assert not any(one.is_running() for one in parsers)


async def test_a_suggestion_that_hangs_the_parser_is_shown_without_being_applicable(
    tmp_path: Path,
) -> None:
    findings = [
        item(1, path="a.ts", suggestion=ENDLESS),
        item(2, path="a.ts", suggestion="line_2 = 5"),
    ]
    (tmp_path / "x.diff").write_text(numbered("a.ts"), "utf-8", newline="\n")
    async with FakeAnthropic(lambda _: Answer()) as fake:
        fake.enqueue(Answer([finding(**one) for one in findings]))
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        done = await run_command(tmp_path, "review", "x.diff", "--format", "ndjson", **keys)
    shown = [one["finding"] for one in done.events if one["type"] == "finding"]
    assert [(one["suggestion"], one["suggestion_applies"]) for one in shown] == [
        (ENDLESS, False),
        ("line_2 = 5", True),
    ]
