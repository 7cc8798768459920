"""The lines that a model is shown about a reply: those around the finding, without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.github.api.threads import ReviewThread
from reviewbot.github.client.errors import DiffTooLargeError
from reviewbot.github.dialogue.look import NOT_SHOWN, SHOWN_LINES, Disputed, read_reply
from reviewbot.github.dialogue.replies import FixedAnswer
from tests.github.dialogue.test_replies import REPLY, WE, first, person

if TYPE_CHECKING:
    from reviewbot.core.diff.parse import DiffLine
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.reviews import ReviewComment

KEY = ["-----BEGIN PRIVATE KEY-----", *["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"] * 30]
HEADER = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n"


@dataclass
class GitHub:
    """GitHub with one thread, and the diff of the pull request; None if it is too large."""

    thread: tuple[ReviewComment, ...]
    diff: str | None
    threads_of: tuple[ReviewThread, ...] = ()

    async def comments(self, *_: object) -> tuple[ReviewComment, ...]:
        return self.thread

    async def all(self, *_: object) -> tuple[ReviewThread, ...]:
        return self.threads_of

    async def permission(self, *_: object) -> str:
        return "none"

    async def compare_diff(self, *_: object, max_bytes: int) -> bytes:
        assert max_bytes
        if self.diff is None:
            raise DiffTooLargeError("too large", status=406)
        return self.diff.encode()

    @property
    def api(self) -> Api:
        class Everything:
            reviews = pulls = threads = self

        return cast("Api", Everything())


async def look(diff: str | None, **place: Any) -> Disputed | FixedAnswer | None:
    github = GitHub((first(**place), person(100)), diff)
    return await read_reply(github.api, REPLY, WE, page="https://github.com/o/r")


async def shown(diff: str, **place: Any) -> list[DiffLine]:
    found = await look(diff, **place)
    assert isinstance(found, Disputed)
    [file] = parse_diff(found.diff)
    assert (file.path, file.status) == ("a.py", "modified")
    return [line for hunk in file.hunks for line in hunk.lines]


def added(count: int) -> str:
    lines = "".join(f"+line_{number} = {number}\n" for number in range(1, count + 1))
    return f"{HEADER.replace('--- a/a.py', '--- /dev/null')}@@ -0,0 +1,{count} @@\n{lines}".replace(
        "diff --git a/a.py b/a.py\n", "diff --git a/a.py b/a.py\nnew file mode 100644\n"
    )


@pytest.mark.parametrize(("line", "begin"), [(1, 1), (1000, 850), (2000, 1701)])
async def test_a_long_file_is_cut_around_the_finding_with_its_line_numbers(
    line: int, begin: int
) -> None:
    lines = await shown(added(2_000), line=line)
    assert len(lines) == SHOWN_LINES
    assert [line.new_no for line in lines] == [*range(begin, begin + SHOWN_LINES)]
    assert all(one.text == f"line_{one.new_no} = {one.new_no}" for one in lines)


async def test_several_hunks_keep_their_numbers_on_both_sides() -> None:
    hunks = ["@@ -1,3 +1,2 @@\n a\n-b\n c", "@@ -10,2 +9,3 @@\n x\n+y\n z", "@@ -30 +30,0 @@\n-end"]
    diff = HEADER + "".join(f"{hunk}\n" for hunk in hunks)
    lines = await shown(diff, line=10)
    assert [(one.kind, one.old_no, one.new_no, one.text) for one in lines] == [
        ("context", 1, 1, "a"),
        ("removed", 2, None, "b"),
        ("context", 3, 2, "c"),
        ("context", 10, 9, "x"),
        ("added", None, 10, "y"),
        ("context", 11, 11, "z"),
        ("removed", 30, None, "end"),
    ]


async def test_a_removed_line_is_found_on_its_own_side() -> None:
    rows = "".join(f"-old_{number}\n" for number in range(1, 1_001))
    lines = await shown(f"{HEADER}@@ -1,1001 +1,1 @@\n{rows} end\n", line=900, side="LEFT")
    assert any(one.old_no == 900 for one in lines)


async def test_lines_that_changed_since_show_the_beginning_of_the_diff() -> None:
    lines = await shown(added(2_000), line=None)
    assert lines[0].new_no == 1


async def test_a_secret_is_replaced_before_its_beginning_is_cut_off() -> None:
    rows = [*KEY, *(f"x_{number} = 1" for number in range(SHOWN_LINES))]
    text = "".join(f"+{row}\n" for row in rows)
    diff = f"{HEADER}@@ -1 +1,{len(rows) + 1} @@\n{text} end\n"
    lines = await shown(diff, line=len(rows) - SHOWN_LINES // 2 + 20)
    assert lines[0].new_no is not None
    assert lines[0].new_no > 1
    assert not any(KEY[1] in one.text for one in lines)


@pytest.mark.parametrize(
    "diff", [None, "", "no diff\n@@ -1 +1 @@\n", HEADER.replace("a.py", "b.py")]
)
async def test_a_file_that_github_does_not_show_is_said(diff: str | None) -> None:
    assert await look(diff) == FixedAnswer(f"reply-{1:016x}-100", NOT_SHOWN)


@pytest.mark.parametrize("rule", ["bug", "secrets/x"])
async def test_a_resolved_thread_gets_no_answer(rule: str) -> None:
    resolved = ReviewThread("T", True, "octo", 1, None)
    github = GitHub((first(rule=rule), person(100)), added(9), (resolved,))
    assert await read_reply(github.api, REPLY, WE, page="https://github.com/o/r") is None


async def test_the_place_of_the_answer_names_thread_and_digests() -> None:
    thread = ReviewThread("T", False, None, 1, None, can_resolve=True)
    github = GitHub((first(), person(100)), added(9), (thread,))
    found = await read_reply(github.api, REPLY, WE, page="https://github.com/o/r")
    assert isinstance(found, Disputed)
    place = found.place
    assert (place.node, place.path, place.thread) == ("T", "a.py", 1)
    assert place.answer_key() == f"reply-{1:016x}-100"
    assert place.answer_key("a.py") == f"withdrawn-{1:016x}-100-{place.digest}"
    assert place.answer_key("b.py") == f"withdrawn-{1:016x}-100-{place.whole_digest}"
