"""Files that the policy leaves unread: searched and linted, listed, and sent to no model."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import load_settings
from reviewbot.core.events.report import Report, fold, reaches_threshold
from reviewbot.core.plan import chunks
from reviewbot.core.plan.stored import check_fits, plan_from_json, plan_to_json
from reviewbot.pipeline.chunk_events import ACCEPTED
from reviewbot.pipeline.job import started
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.support.reviews import added

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reviewbot.config.settings import Settings

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
BAD = ("import os", "eval(input())")
VENDORED = added("vendor/bad.py", *BAD)
PYTHON = added("app.py", "x = 1")
IN_VENDOR = "New, and vendored: third-party code, in vendor/."
MODEL = "claude-sonnet-5-5"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


async def reviewed(diff: str, loaded: Settings | None = None, **flags: Any) -> Report:
    settings = loaded or load_settings(flags={"model": "offline", **flags}, env={})
    prepared = prepare(diff.encode(), settings)
    async with workers(prepared, settings) as able:
        run_batch = able.with_linters(able.run_batch)
        return fold([one async for one in review(prepared.job, run_batch)])


def statuses(report: Report) -> dict[str, str]:
    return {file.path: file.status for file in report.coverage}


@asynccontextmanager
async def claude(**flags: Any) -> AsyncIterator[tuple[FakeAnthropic, Settings]]:
    async with FakeAnthropic(lambda _: Answer()) as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        yield fake, load_settings(flags={"model": MODEL, "summary": False, **flags}, env=env)


MARKED = {
    "vendored": VENDORED,
    "generated name": added("api_pb2.py", *BAD),
    "generated header": added("bad.py", "# @generated", *BAD),
    "minified": added("bad.js", f'var data = "{"x" * 5_000}";', "eval(location.hash)"),
    "minified name": added("bad.min.js", "eval(location.hash)"),
    "lock file": added("yarn.lock", *BAD),
}


@pytest.mark.parametrize("diff", MARKED.values(), ids=MARKED.keys())
async def test_a_new_file_with_a_mark_alone_makes_a_review_shallow(diff: str) -> None:
    report = await reviewed(diff)
    assert (report.outcome, report.reasons) == ("shallow", ())
    (file,) = report.coverage
    assert (file.status, file.by_policy) == ("unread", True)
    assert file.reason
    assert "\n" not in file.reason


async def test_what_rules_find_in_an_unread_file_is_listed_and_does_not_count() -> None:
    report = await reviewed(VENDORED + PYTHON)
    assert report.outcome == "shallow"
    (finding,) = report.findings
    assert (finding.rule, finding.line) == ("python/eval", 2)
    assert finding.placement.held
    assert finding.placement.reason == f"Its file is not reviewed. {IN_VENDOR}"
    assert not reaches_threshold(report, "note")
    assert report.depth.endswith("no model read this.")


async def test_a_secret_in_an_unread_file_counts() -> None:
    report = await reviewed(added("vendor/a.py", f'token = "{TOKEN}"'))
    assert report.outcome == "findings"
    (finding,) = report.findings
    assert (finding.rule, finding.placement.kind) == ("secrets/github-token", "inline")
    assert reaches_threshold(report, "error")
    assert statuses(report) == {"vendor/a.py": "unread"}


async def test_findings_in_reviewed_files_count_beside_an_unread_file() -> None:
    report = await reviewed(VENDORED + added("bad.py", *BAD))
    assert report.outcome == "findings"
    assert report.counts["warning"] == 1


async def test_no_model_gets_an_unread_file() -> None:
    async with claude() as (fake, settings):
        report = await reviewed(added("vendor/a.py", "MARKER_ONE = 1") + PYTHON, settings)
        assert (report.outcome, statuses(report)) == (
            "shallow",
            {"vendor/a.py": "unread", "app.py": "reviewed"},
        )
        sent = b"".join(request.raw for request in fake.requests).decode()
        assert "MARKER_ONE" not in sent
        assert "x = 1" in sent
        assert report.models == (MODEL,)


async def test_unread_files_alone_need_no_request() -> None:
    async with claude(summary=True) as (fake, settings):
        report = await reviewed(VENDORED, settings)
        assert report.outcome == "shallow"
        assert fake.requests == []
        assert report.estimate is not None
        assert (report.estimate.requests, report.estimate.cost_usd) == (0, 0.0)


@pytest.mark.parametrize("entry", ["vendor/", "/vendor/bad.py", "*.py"])
async def test_patterns_accept_unread_files(entry: str) -> None:
    report = await reviewed(VENDORED + PYTHON, accept_unread=[entry])
    assert report.outcome == "clean"
    (skipped,) = report.covered("skipped")
    assert (skipped.path, skipped.reason) == ("vendor/bad.py", ACCEPTED)


async def test_the_name_of_a_language_does_not_accept_a_file_with_a_mark() -> None:
    report = await reviewed(VENDORED + PYTHON, accept_unread=["python"])
    assert (report.outcome, statuses(report)["vendor/bad.py"]) == ("shallow", "unread")


async def test_a_secret_in_an_accepted_file_counts() -> None:
    diff = added("vendor/a.py", f'token = "{TOKEN}"')
    report = await reviewed(diff, accept_unread=["vendor/"])
    assert report.outcome == "findings"


async def test_after_a_limit_unread_files_are_only_searched_for_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHECKED_FILES", 2)
    many = "".join(added(f"vendor/{n}.py", "eval(input())") for n in range(4))
    report = await reviewed(many + added("vendor/secret.py", f'token = "{TOKEN}"') + PYTHON)
    assert [finding.path for finding in report.findings] == [
        "vendor/secret.py",
        "vendor/0.py",
        "vendor/1.py",
    ]
    reasons = {file.path: file.reason for file in report.coverage}
    assert reasons["vendor/1.py"] == IN_VENDOR
    assert reasons["vendor/2.py"] == f"{IN_VENDOR} {chunks.SECRETS_ALONE}"


def test_large_unread_files_are_only_searched_for_secrets() -> None:
    large = added("vendor/large.js", *["x" * 999] * (chunks.MAX_CHECKED_BYTES // 1_000 + 1))
    settings = load_settings(flags={"model": "offline"}, env={})
    planned = prepare((large + VENDORED).encode(), settings).job.plan
    assert [file.reason for file in planned.files] == [
        f"{IN_VENDOR} {chunks.SECRETS_ALONE}",
        IN_VENDOR,
    ]


async def test_a_binary_file_with_the_name_of_source_code_is_unread() -> None:
    binary = "diff --git a/a.py b/a.py\nnew file mode 100644\nindex 0000000..2222222\n"
    binary += "Binary files /dev/null and b/a.py differ\n"
    report = await reviewed(binary + PYTHON)
    assert (report.outcome, statuses(report)["a.py"]) == ("shallow", "unread")


def test_reviewed_files_come_before_unread_files() -> None:
    settings = load_settings(flags={"model": "offline"}, env={})
    job = prepare((VENDORED + PYTHON).encode(), settings).job
    assert [batch.chunks for batch in job.plan.batches] == [("c2",), ("c1",)]
    assert [file.unread for file in started(job).files] == [IN_VENDOR, None]
    stored = plan_from_json(plan_to_json(job.plan))
    check_fits(stored, job.files)
    assert stored.files[0].is_unread
