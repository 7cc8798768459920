"""A slice of a secret is not sent or shown, wherever text is taken from a file."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.config.settings import Settings, load_settings
from reviewbot.core.diff.excerpt import Excerpts
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.report import Report, fold
from reviewbot.core.prompt.request import render
from reviewbot.models.batch import BatchResult, ChunkOutcome
from reviewbot.pipeline.diff_context import with_context
from reviewbot.pipeline.job import started
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.sources import Source
from tests.support.findings import finding

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.models.batch import BatchTask, Emit
    from reviewbot.pipeline.prepare import Prepared


class Change(NamedTuple):
    """A change in the middle of a private key, and the lines of the key before and after."""

    source: Source
    settings: Settings
    key: list[str]


@pytest.fixture(params=[8, 100], ids=lambda lines: f"{lines} lines of context")
def change(tmp_path: Path, request: pytest.FixtureRequest) -> Change:
    made = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    old = made.decode().strip().split("\n")
    new = [*old[:13], old[13][::-1], *old[14:]]
    path = tmp_path / "keys.py"

    def write(key: list[str]) -> None:
        rows = ["import os", *(f"x{number} = 1" for number in range(40)), 'KEY = """', *key, '"""']
        path.write_text("".join(f"{row}\n" for row in rows))

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    write(old)
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "a")
    write(new)
    settings = load_settings(
        flags={"context_lines": request.param},
        env={"ANTHROPIC_API_KEY": "unused"},
    )
    repository = open_repository(tmp_path)
    assert repository is not None
    source = Source(repository.changes(), code=GitFiles(repository))
    source = asyncio.run(with_context(source, settings))
    return Change(source, settings, [*old[1:-1], new[13]])


def prepared(change: Change) -> Prepared:
    return prepare(change.source.data, change.settings, whole_files=change.source.whole_files)


async def sent(of: Prepared) -> tuple[Report, str]:
    """The report of a review, and the text of its requests."""
    texts: list[str] = []

    async def record(task: BatchTask, emit: Emit) -> BatchResult:
        prompt = render(task.request)
        texts.append(f"{prompt.system}{prompt.shared}{prompt.body}")
        ends = tuple(ChunkOutcome(one.id, "reviewed", "m", 1) for one in task.request.chunks)
        for end in ends:
            await emit(end)
        return BatchResult((), ends, ())

    report = fold([one async for one in review(of.job, record)])
    return report, "".join(texts)


def test_a_model_gets_no_line_of_a_key_of_which_only_the_middle_is_shown(change: Change) -> None:
    report, text = asyncio.run(sent(prepared(change)))
    assert "[REDACTED:private-key]" in text
    assert [line for line in change.key if line in text] == []
    assert [one.rule for one in report.findings] == ["secrets/private-key"]


def test_a_reader_is_shown_no_line_of_it(change: Change) -> None:
    job = prepared(change).job
    excerpts = Excerpts(job.files, started(job), job.whole_files)
    (added,) = (line for hunk in job.files[0].hunks for line in hunk.lines if line.kind == "added")
    one = finding(path="keys.py", line=added.new_no or 0, end_line=added.new_no or 0)
    shown = excerpts.around(one)
    assert len(shown) > 3
    assert not {text for _, _, text in shown} & set(change.key)


def test_context_adds_no_line_of_it_to_the_diff(change: Change) -> None:
    shown = {line.text for hunk in parse_diff(change.source.data)[0].hunks for line in hunk.lines}
    assert len(shown & set(change.key)) == 8
