"""Open reviews that an earlier version stored are finished after an upgrade.

``fixtures/stored/version-3.sql`` is a database as version 3 of the tables had it, without
encryption. The App stored two reviews in it: one whose model had not answered when its node died,
of a second push with an open finding of the first, and one without a model that was not begun. Both
have a rule of the repository, guidelines, and a comment of the change that would silence the rule.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import turns
from reviewbot.store.eventlog import records_of
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.github.action_runs import find_marked
from tests.server.in_process import service

if TYPE_CHECKING:
    from reviewbot.core.events.report import Report
    from tests.fake_anthropic import Recorded

STORED: Final = Path(__file__).parents[2] / "fixtures" / "stored" / "version-3.sql"
PRIOR: Final = "7f8bd1e3ca04fa1d"
"""The open finding of the first push."""


async def finished(folder: Path, subject: str, **settings: Any) -> Report:
    """Finish a stored review with the present version, and return its report."""
    connection = sqlite3.connect(folder / "reviewbot.db")
    connection.executescript(STORED.read_text("utf-8"))
    [(review_id, runs)] = connection.execute(
        "SELECT id, runs FROM rb_reviews WHERE subject = ?", (subject,)
    ).fetchall()
    connection.close()
    async with service(folder, Telemetry(), **settings) as one:
        again = partial(turns.requeue, review_id=review_id, run=runs, breaks=1)
        run = await one.database.write(again) or runs
        assert await one.runner.run(review_id, run) == "finished"
        records = await one.database.read(partial(records_of, review_id=review_id))
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    return fold(map(from_record, records))


async def test_a_stored_review_by_a_model_is_finished_with_all_that_was_stored(
    tmp_path: Path,
) -> None:
    def refute_the_prior(request: Recorded) -> Answer:
        answers = {True: "wrong", False: "supported"}
        return says(*(verdict(one, answers[one.is_prior]) for one in asked(request)))

    def find_in_new_file(request: Recorded) -> Answer:
        marked = find_marked(request).findings
        return Answer(findings=[one for one in marked if one["path"] == "new.py"])

    async with FakeAnthropic(find_in_new_file, verify=refute_the_prior) as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        settings = {"model": "claude-sonnet-5-5", "env": env}
        report = await finished(tmp_path, "github/octo/hello#1", **settings)
    assert report.outcome == "findings"
    assert {file.path: file.status for file in report.coverage} == {
        "app.py": "reviewed",
        "new.py": "reviewed",
    }
    assert "new.py:5 Wrong number" in found(report)
    assert report.refuted == ()  # what that version asked about a finding of an earlier review
    assert "Never return `None` from a handler." in fake.requests[0].text


async def test_a_stored_review_without_a_model_is_finished_with_the_rules_of_the_repository(
    tmp_path: Path,
) -> None:
    report = await finished(tmp_path, "github/octo/offline#1")
    assert report.outcome == "findings"
    assert found(report) == [
        "app.py:40 Use the logger instead of print",
        "new.py:4 `os.environ` is changed while it is iterated",
    ]


def found(report: Report) -> list[str]:
    return sorted(f"{one.path}:{one.line} {one.title}" for one in report.findings)
