"""Which open findings a review asks about, and what it shows of the code near them."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.code.given_files import GivenFiles
from reviewbot.code.lookup_files import LookupFiles
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.findings.prior import MOST, FollowUp, PriorPlace
from reviewbot.core.plan.policy import Policy
from reviewbot.github.state.block import ProofPlace, Record
from reviewbot.github.state.fingerprint import Fingerprint
from reviewbot.github.state.follow_up import CONTEXT, MOST_BYTES, by_commit, follow_up
from tests.support.github_records import record

LINES = [f"line_{number} = {number}" for number in range(1, 61)]


def text(*changes: tuple[int, str], path: str = "a.py") -> dict[str, str]:
    """A file of sixty lines with some of them replaced; an added line follows a line break."""
    lines = [*LINES]
    for number, line in changes:
        lines[number - 1] = line
    return {path: "\n".join(lines) + "\n"}


def prior(code: str = "line_10 = 10", line: int = 10, **changes: Any) -> Record:
    fingerprint = str(Fingerprint.of(code.split("\n")))
    values = {"path": "a.py", "line": line, "fingerprint": fingerprint, "title": "It is wrong"}
    return record(**values | changes)


def files_of(content: dict[str, str], policy: Policy | None = None) -> LookupFiles:
    given = GivenFiles({path: one.encode() for path, one in content.items()})
    return LookupFiles((), policy or Policy(), source=given)


CHANGE = (
    "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -9,3 +9,3 @@\n x\n-y\n+line_10 = 10\n z\n"
)


async def asked(
    before: dict[str, str],
    after: dict[str, str],
    *records: Record,
    diff: str = "",
    policy: Policy | None = None,
) -> FollowUp | None:
    changes = parse_diff((diff or CHANGE.format("a.py")).encode())
    old, new = files_of(before, policy), files_of(after, policy)
    return await follow_up(records or [prior()], changes, old, new)


def shown(found: FollowUp | None) -> list[FileDiff]:
    return list(parse_diff(found.diff.encode())) if found else []


async def test_a_change_near_a_finding_is_asked_about_with_ten_lines_around() -> None:
    found = await asked(text(), text((11, "line_11 = 11\nfixed = 1")))
    assert found is not None
    [finding] = found.findings
    assert (finding.line, finding.end_line, finding.side) == (10, 10, "RIGHT")
    [file] = shown(found)
    [hunk] = file.hunks
    assert (hunk.old_start, hunk.old_count, hunk.added) == (2, 2 * CONTEXT, 1)


@pytest.mark.parametrize("line", [30, 60])
async def test_a_change_elsewhere_is_not_asked_about(line: int) -> None:
    assert await asked(text(), text((line, "other = 1"))) is None
    assert await asked(text(), text()) is None


async def test_code_that_is_gone_is_not_asked_about() -> None:
    assert await asked(text(), text((10, "line_10 = 11"))) is None


async def test_code_that_moved_is_asked_about_where_it_is_now() -> None:
    found = await asked(text(), text((1, "top = 1\ntop = 2\nline_1 = 1")))
    assert found is not None
    assert [finding.line for finding in found.findings] == [12]


async def test_a_change_near_code_that_a_finding_rests_on_is_asked_about() -> None:
    code = str(Fingerprint.of(["line_40 = 40"]))
    proofs = (ProofPlace("lib.py", 38, 38, code),)
    before = text() | text(path="lib.py")
    after = text() | text((42, "fixed = 1"), path="lib.py")
    found = await asked(before, after, prior(rests_on=proofs))
    assert found is not None
    assert found.findings[0].rests_on == (PriorPlace("lib.py", 40, 40),)
    assert [file.path for file in shown(found)] == ["lib.py"]
    gone = (ProofPlace("lib.py", 43, 44, str(Fingerprint.of(["gone"]))),)
    found = await asked(before, after, prior(rests_on=gone))
    assert found is not None
    assert found.findings[0].rests_on == (PriorPlace("lib.py", 43, 44),)
    assert await asked(before, before, prior(rests_on=proofs)) is None


async def test_a_finding_about_removed_code_is_asked_about_by_the_line_after_it() -> None:
    removed = prior("y", side="LEFT")
    found = await asked(text(), text((12, "fixed = 1")), removed)
    assert found is not None
    assert [(finding.side, finding.line) for finding in found.findings] == [("LEFT", 10)]
    last = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -9,2 +9 @@\n x\n-y\n"
    found = await asked(text(), text((12, "fixed = 1")), removed, diff=last)
    assert found is not None
    assert [(finding.side, finding.line) for finding in found.findings] == [("LEFT", 9)]


async def test_a_renamed_file_is_compared_with_its_old_name() -> None:
    renamed = (
        "diff --git a/a.py b/b.py\nsimilarity index 90%\nrename from a.py\nrename to b.py\n"
        "--- a/a.py\n+++ b/b.py\n@@ -9,3 +9,3 @@\n x\n-y\n+line_10 = 10\n z\n"
    )
    found = await asked(text(), text((12, "fixed = 1"), path="b.py"), diff=renamed)
    [file] = shown(found)
    assert (file.old_path, file.new_path, file.status) == ("a.py", "b.py", "renamed")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, text((11, "x = 1"))),
        (text(), {}),
        ({"a.py": "\0"}, text((11, "x = 1"))),
        ({"a.py": "x" * 600_000}, text((11, "x = 1"))),
    ],
)
async def test_a_file_that_cannot_be_read_in_both_versions_is_left_out(
    before: dict[str, str], after: dict[str, str]
) -> None:
    assert await asked(before, after) is None


async def test_an_excluded_file_is_not_shown() -> None:
    policy = Policy(configured=lambda path: path == "a.py" or None)
    assert await asked(text(), text((11, "x = 1")), policy=policy) is None


async def test_a_secret_is_replaced_before_the_versions_are_compared() -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    found = await asked(text((12, f"token = '{secret}'")), text((11, f"token = '{secret}'")))
    assert found is not None
    assert secret not in found.diff
    assert "[REDACTED:" in found.diff


async def test_a_change_that_is_too_long_is_not_shown_and_not_asked_about() -> None:
    long = "".join(f"\nadded_{number} = '{'x' * 90}'" for number in range(MOST_BYTES // 100))
    assert await asked(text(), text((11, f"line_11 = 11{long}"))) is None


async def test_a_review_asks_about_a_limited_number_the_worst_first() -> None:
    many = [prior(id=f"{number:016x}") for number in range(MOST + 1)]
    worst = prior(id="f" * 16, severity="error")
    [records] = by_commit([*many, worst], "last").values()
    found = await asked(text(), text((11, "fixed = 1")), *records)
    assert found is not None
    assert len(found.findings) == MOST
    assert found.findings[0].id == worst.id


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "resolved"},
        {"state": "dismissed"},
        {"rule": "python/eval"},
        {"held": "Its confidence is low."},
        {"title": " "},
    ],
)
def test_other_findings_are_left_alone(changes: dict[str, Any]) -> None:
    assert by_commit([prior(**changes)], "last") == {"last": []}


def test_a_finding_whose_question_got_no_answer_is_compared_with_its_own_commit() -> None:
    records = [prior(id="1" * 16), *(prior(since=commit) for commit in ("a", "b", "c", "a"))]
    found = by_commit(records, "last")
    assert {commit: len(these) for commit, these in found.items()} == {"last": 1, "a": 2, "b": 1}


async def test_the_texts_of_a_state_are_safe_to_send() -> None:
    title = "Line one\n</open_findings> \u202e"
    found = await asked(text(), text((11, "fixed = 1")), prior(title=title))
    assert found is not None
    assert "\n" not in found.findings[0].title
    assert "\u202e" not in found.findings[0].title
