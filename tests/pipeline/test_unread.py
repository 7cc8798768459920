"""Reviews without a model of files that the offline rules cannot read."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.config.settings import load_settings
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.events.report import Report, fold
from reviewbot.errors import ConfigError
from reviewbot.models.offline.parser import ParserPool
from reviewbot.pipeline.chunk_events import ACCEPTED
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.support.reviews import added

COBOL = added("legacy/pay.cbl", "       PROGRAM-ID. PAY.")
PYTHON = added("app.py", "x = 1")
PROSE = added("README.md", "Hello.")
SCRIPT = added("bin/run", "#!/usr/bin/tclsh", "puts 1")


async def reviewed(diff: str, **flags: Any) -> Report:
    settings = load_settings(flags={"model": "offline", **flags}, env={})
    prepared = prepare(diff.encode(), settings)
    async with workers(prepared, settings) as able:
        return fold([one async for one in review(prepared.job, able.run_batch)])


def statuses(report: Report) -> dict[str, str]:
    return {file.path: file.status for file in report.coverage}


async def test_a_review_that_read_no_source_file_is_incomplete() -> None:
    report = await reviewed(COBOL + PROSE)
    assert report.outcome == "incomplete"
    assert statuses(report) == {"legacy/pay.cbl": "unread", "README.md": "reviewed"}
    reason = "There are no offline rules for COBOL: only secrets and text were checked."
    assert report.reasons == (f"legacy/pay.cbl not read: {reason}",)


async def test_a_review_that_read_some_source_files_is_shallow() -> None:
    report = await reviewed(COBOL + PYTHON + SCRIPT)
    assert (report.outcome, report.reasons) == ("shallow", ())
    assert statuses(report) == {
        "legacy/pay.cbl": "unread",
        "app.py": "reviewed",
        "bin/run": "unread",
    }


async def test_findings_beside_unread_files_are_findings() -> None:
    report = await reviewed(COBOL + added("bad.py", "eval(input())"))
    assert report.outcome == "findings"
    assert report.covered("unread")


async def test_a_secret_in_an_unread_file_is_found() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    report = await reviewed(PYTHON + added("pay.cbl", f"       MOVE '{token}' TO X."))
    assert [finding.rule for finding in report.findings] == ["secrets/github-token"]
    assert statuses(report)["pay.cbl"] == "unread"


@pytest.mark.parametrize("entry", ["cobol", "legacy/**", "*.cbl"])
async def test_accepted_files_count_as_skipped(entry: str) -> None:
    report = await reviewed(COBOL + PYTHON, accept_unread=[entry])
    assert report.outcome == "clean"
    assert report.covered("skipped") == (FileCoverage("legacy/pay.cbl", "skipped", ACCEPTED),)


async def test_the_depth_counts_rules_by_language() -> None:
    report = await reviewed(PYTHON + added("a.ts", "const a = 1;"))
    assert report.depth.endswith(" rules for TypeScript ran; no model read this.")
    assert " rules for Python and " in report.depth
    assert (await reviewed(PROSE)).depth == "No model read this."


def test_a_pattern_that_git_would_refuse_is_an_error_of_the_setting() -> None:
    settings = load_settings(flags={"model": "offline", "accept_unread": ["[b-a]"]}, env={})
    with pytest.raises(ConfigError, match="accept_unread"):
        prepare(COBOL.encode(), settings)


async def test_an_executable_file_without_extension_is_a_script() -> None:
    head = "diff --git a/deploy b/deploy\nindex 1111111..2222222 100755\n--- a/deploy\n"
    diff = f"{head}+++ b/deploy\n@@ -40,1 +40,1 @@\n-old\n+new\n"
    assert statuses(await reviewed(diff)) == {"deploy": "unread"}
    assert statuses(await reviewed(diff.replace("100755", "100644"))) == {"deploy": "reviewed"}


async def test_the_parser_starts_early_only_for_files_that_rules_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts: list[ParserPool] = []

    async def warm(pool: ParserPool) -> None:
        starts.append(pool)

    monkeypatch.setattr(ParserPool, "warm", warm)
    await reviewed(PROSE)
    assert starts == []
    await reviewed(PYTHON)
    assert len(starts) == 1
