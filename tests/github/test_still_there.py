"""Whether the code that a comment stands on is still there; in doubt it is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff import parse_diff
from reviewbot.github import file_lines, still_there
from reviewbot.github.client.pacing import Pace
from reviewbot.github.commented_code import CommentedCode
from reviewbot.github.file_lines import FileLines
from reviewbot.github.gateway import Gateway
from reviewbot.github.memory import Memory, Posted
from reviewbot.github.tracked import track
from reviewbot.settings import Secret
from tests.fake_github import FakeGitHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reviewbot.github.gateway import Api
    from tests.fake_github import PullRequest

FILE = "".join(f"line {number}\n" for number in range(1, 41))


def text(*changes: tuple[int, str]) -> dict[str, str]:
    lines = FILE.splitlines()
    for number, line in changes:
        lines[number - 1] = line
    return {"a.py": "\n".join(lines) + "\n"}


@asynccontextmanager
async def commented(
    head: dict[str, str], line: int, side: str = "RIGHT"
) -> AsyncIterator[tuple[FakeGitHub, PullRequest, Api]]:
    """A pull request with a comment on a line of ``a.py``."""
    async with FakeGitHub() as github:
        pull = github.pull(base={"a.py": FILE}, head=head)
        pull.review_comment("a.py", line, "A finding.", side=side, by="octo")
        token = github.token(pull.repo)
        async with Gateway(Secret(token.value), base_url=github.url, pace=Pace(gap_s=0)) as way:
            yield github, pull, way.holder()


async def is_gone(pull: PullRequest, api: Api, *, at: str | None = None) -> bool:
    """``at``: the commit that the comment was written on, if it is another one."""
    name = pull.repo.full_name
    [comment] = await api.reviews.comments(name, pull.number)
    comment = replace(comment, original_commit=at or comment.original_commit)
    posted = Posted("f" * 16, "error", comment, None)
    code, files = CommentedCode(parse_diff(pull.diff_text)), FileLines(api, name, pull.head_sha)
    tracked = await track(files, code, Memory(posted={posted.id: posted}), ())
    return bool(await still_there.gone(files, code, [posted], tracked=tracked))


BUG = (20, "x = 1 / 0")


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (text(BUG), False),
        (text(BUG, (2, "another change")), False),
        (text(BUG, (19, "a change just above")), False),
        (text((20, "x = 1")), True),
        (text((20, "x = 1 / 0  # sorry")), True),
        (text(), True),
        ({"a.py": "# moved down\n" * 7 + text(BUG)["a.py"]}, False),
        ({"a.py": "x = 1 / 0\n" + text((20, "x = 1"))["a.py"]}, False),  # it was moved
        (text((20, "x = 1"), (35, "    x = 1 / 0")), False),  # and indented
        ({"a.py": text(BUG)["a.py"].replace("x = 1 / 0\n", "x = 1 / 0   \n")}, False),
    ],
)
async def test_a_line_of_the_new_file_is_looked_for_where_it_is_now(
    later: dict[str, str], expected: bool
) -> None:
    async with commented(text(BUG), 20) as (_, pull, api):
        pull.push(later)
        assert await is_gone(pull, api) is expected


async def test_the_code_of_a_file_that_is_deleted_is_gone() -> None:
    async with commented(text(BUG), 20) as (_, pull, api):
        pull.push({"a.py": None})
        assert await is_gone(pull, api)


async def test_code_goes_along_with_a_file_that_is_renamed() -> None:
    async with commented(text(BUG), 20) as (_, pull, api):
        pull.push({"a.py": None, "b.py": text(BUG)["a.py"]})
        assert not await is_gone(pull, api)


async def test_a_line_that_was_taken_away_is_fixed_once_it_is_back() -> None:
    async with commented(text((20, "other")), 20, "LEFT") as (_, pull, api):
        assert not await is_gone(pull, api)
        pull.push(text((5, "something else")))
        assert await is_gone(pull, api)


async def test_what_cannot_be_read_is_not_called_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lines, "MAX_FILE", 10)
    async with commented(text(BUG), 20) as (_, pull, api):
        pull.push(text((20, "x = 1")))
        assert not await is_gone(pull, api)


async def test_a_comment_on_nothing_but_an_empty_line_stands_in_its_place_or_not_at_all() -> None:
    async with commented(text((20, "")), 20) as (_, pull, api):
        assert not await is_gone(pull, api)
        pull.push({"a.py": FILE.replace("line 20\n", "")})
        assert await is_gone(pull, api)


async def test_a_file_is_read_once_however_many_findings_it_has() -> None:
    async with commented(text(BUG), 20) as (github, pull, api):
        pull.push(text((20, "x = 1")))
        name = pull.repo.full_name
        [comment] = await api.reviews.comments(name, pull.number)
        many = [Posted(f"{number:016x}", "error", comment, None) for number in range(5)]
        files = parse_diff(pull.diff_text)
        found = await still_there.gone(
            FileLines(api, name, pull.head_sha), CommentedCode(files), many
        )
        assert len(found) == 5
        assert len(github.called("GET", "/contents/a.py")) == 1


COPY = text(*enumerate(FILE.splitlines()[4:8], 30))
"""Lines 5 to 8 once more, as lines 30 to 33."""


@pytest.mark.parametrize("forgotten", [True, False])
async def test_a_copy_that_is_taken_out_is_gone_if_it_is_known_where_it_was(
    *, forgotten: bool
) -> None:
    async with commented(COPY, 32) as (_, pull, api):
        pull.push(text((20, "another change")))
        assert await is_gone(pull, api, at="e" * 40 if forgotten else None) != forgotten
