"""Code beside words: the right lines, under the numbers of the finding's side, redacted."""

from __future__ import annotations

from dataclasses import replace

from reviewbot.core.diff.excerpt import MAX_LINES, Excerpts
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.events import Estimate
from reviewbot.core.findings.finding import Placement
from reviewbot.models.tokens import TokenCounter
from reviewbot.pipeline.job import Job, started
from tests.support.chunk_plans import plan
from tests.support.findings import finding

DIFF = b"""\
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@
 first = 1
-second = 2
+second = 3
 third = 3
@@ -20,4 +20,5 @@ def later():
 a = 1
 b = 2
+c = 3
 d = 4
 e = 5
"""


def excerpts(data: bytes) -> Excerpts:
    files = parse_diff(data)
    planned = plan(files, skip=lambda _: None, count=TokenCounter(1.6))
    return Excerpts(files, started(Job(files, planned, ("m",), Estimate(1, 1, 1, 0.0))))


def around(line: int, **changes: object) -> tuple[tuple[int | None, str, str], ...]:
    one = replace(finding(path="a.py", line=line, end_line=line), **changes)  # type: ignore[arg-type]  # any field
    return excerpts(DIFF).around(one)


def test_two_lines_around_the_finding_are_shown_and_no_other_hunk() -> None:
    assert around(22) == (
        (20, " ", "a = 1"),
        (21, " ", "b = 2"),
        (22, "+", "c = 3"),
        (23, " ", "d = 4"),
        (24, " ", "e = 5"),
    )


def test_lines_of_the_other_side_have_no_number() -> None:
    assert around(2) == (
        (1, " ", "first = 1"),
        (None, "-", "second = 2"),
        (2, "+", "second = 3"),
        (3, " ", "third = 3"),
    )
    assert around(2, side="LEFT") == (
        (1, " ", "first = 1"),
        (2, "-", "second = 2"),
        (None, "+", "second = 3"),
        (3, " ", "third = 3"),
    )


def test_what_stands_on_no_line_has_no_code() -> None:
    assert around(9) == ()
    assert around(22, placement=Placement("file", "Not there.")) == ()
    assert around(22, chunk="c9") == ()


def test_a_finding_in_a_file_of_another_request_shows_no_code() -> None:
    other = around(22, path="other.py", placement=Placement("outside", "It names another file."))
    assert other == ()


def test_a_held_finding_still_shows_its_code() -> None:
    assert around(22, placement=Placement("outside", "Too unsure.", held=True))


def test_a_secret_nearby_is_redacted() -> None:
    secret = "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
    data = DIFF.replace(b"d = 4", f"d = '{secret}'".encode())
    shows = excerpts(data)
    for _ in range(2):
        shown = shows.around(finding(path="a.py", line=22, end_line=22))
        assert secret not in repr(shown)
        assert "[REDACTED:" in repr(shown)


def test_a_long_range_is_cut() -> None:
    body = b"".join(b"+line %d\n" % number for number in range(500))
    data = b"--- /dev/null\n+++ b/a.py\n@@ -0,0 +1,500 @@\n" + body
    shown = excerpts(data).around(finding(path="a.py", line=1, end_line=400))
    assert len(shown) == MAX_LINES + 1
    assert shown[0] == (1, "+", "line 0")


def test_of_a_path_that_comes_twice_the_finding_s_own_file_is_shown() -> None:
    second = b"--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-first = 3\n+first = 4\n"
    shows = excerpts(DIFF + second)
    assert shows.around(finding(path="a.py", line=1, end_line=1, chunk="c2"))[-1] == (
        1,
        "+",
        "first = 4",
    )
