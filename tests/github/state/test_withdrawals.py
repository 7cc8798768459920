"""Withdrawals after a reply hold for the code that decided."""

from __future__ import annotations

from dataclasses import replace

from reviewbot.core.diff.parse import parse_diff
from reviewbot.github.state.withdrawals import all_changes_digest, changes_digest, withdrawals_at
from tests.support.github_comments import DIFF, FILES
from tests.support.github_records import record

RECORD = replace(record(), id="a" * 16, path="app/db.py")
OTHER = "diff --git a/b.py b/b.py\n--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-x\n+y\n"
EDITED = parse_diff(DIFF.replace("+one = 11", "+one = 12").encode())
BOTH = parse_diff((DIFF + OTHER).encode())
OWN, WHOLE = changes_digest(FILES[0]), all_changes_digest(FILES)
CURRENT = {RECORD.id}


def test_a_withdrawal_by_its_own_file_holds_while_the_file_has_the_same_changes() -> None:
    withdrawn, records = {RECORD.id: frozenset({OWN})}, {RECORD.id: RECORD}
    assert withdrawals_at(withdrawn, records, FILES) == CURRENT
    assert withdrawals_at(withdrawn, records, BOTH) == CURRENT
    assert withdrawals_at(withdrawn, records, EDITED) == set()


def test_lines_that_only_move_change_nothing() -> None:
    moved = parse_diff(DIFF.replace("@@ -20,3 +21,3 @@", "@@ -30,3 +31,3 @@").encode())
    assert changes_digest(moved[0]) == OWN


def test_a_withdrawal_by_another_file_holds_while_all_changes_are_the_same() -> None:
    withdrawn, records = {RECORD.id: frozenset({WHOLE})}, {RECORD.id: RECORD}
    assert withdrawals_at(withdrawn, records, FILES) == CURRENT
    assert withdrawals_at(withdrawn, records, BOTH) == set()
    assert all_changes_digest(BOTH) == all_changes_digest(BOTH[::-1])


def test_a_finding_that_a_rule_reports_by_now_is_not_withdrawn() -> None:
    of_a_rule = replace(RECORD, rule="python/eval")
    assert withdrawals_at({RECORD.id: frozenset({OWN})}, {RECORD.id: of_a_rule}, FILES) == set()


def test_an_unknown_finding_and_none_at_all_are_left_out() -> None:
    assert withdrawals_at({RECORD.id: frozenset({OWN})}, {}, FILES) == set()
    assert withdrawals_at({}, {RECORD.id: RECORD}, FILES) == set()
