"""Trees, and what a reader of a pull request sees, in the stories of the Action and of the App."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, Fault, PullRequest
from tests.github.action_runs import CONFIG, Run, Runner
from tests.support.github_states import records_in, state_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.fake_anthropic import Recorded
    from tests.fake_github import Recorded as Called
    from tests.fake_github.comments import IssueComment, ReviewComment, Thread

_TOLD = re.compile(r", id `([0-9a-f]{16})`\n")
"""A finding that the text of a review tells of in full."""
_LISTED = re.compile(r"\(id `([0-9a-f]{16})`\)")
"""A finding that the text of a review lists by its file."""
_LEFT_OUT = re.compile(r"(\d+) findings? of earlier reviews left out")
_KEY = re.compile(r"^<!-- reviewbot v=1 kind=reply .*\bkey=(\S+)", re.MULTILINE)
"""What one answer of ours is to."""
_TITLE = re.compile(
    r"""
    ^ (?: \*\*\S+[ ]\w+(?:,[ ][a-z ]+)?:[ ](.+)\*\*  # above a comment, and in a review
      | \#\#\#[ ]\S+[ ]\w+(?:,[ ][a-z ]+)?:[ ](.+)      # in the summary of a job
      | \|[ ]\S+[ ]\w[^|]*\|[ ][^|]+\|[ ](.+?)(?:[ ]\(id[ ]`\w+`\))?[ ]\|.*  # in a table
      | -[ ]\S+[ ]\w[^:`]*:[ ]\[(.+)\]\(\S+\)[ ]`.*      # in the list of a summary
      | -[ ]\S+[ ]\w[^:`]*:[ ]([^\[].*?)[ ]`+[^`]+`+(?:[ ]\(id[ ]`\w+`\))?  # without a link
      | -[ ]\[?`.+?:\d+[ ]?`+(?:\]\(\S+\))?[ ](.+)  # among what is resolved or dismissed
      | [ ]{2}-[ ]\S+[ ]\w+:[ ]\[?`.+?`+(?:\]\(\S+\))?[ ](.+)[ ]\(id[ ]`\w+`\)  # by file
      | (?:>[ ])?A[ ]model[ ]reports:[ ](.+)           # folded into the finding of a rule
    ) $
    """,
    re.MULTILINE | re.VERBOSE,
)
"""Where the title of a finding stands in a text of ours."""
_PLACING = re.compile(r"^POST /repos/[^/]+/[^/]+/pulls/\d+/(?:reviews|comments)$")
"""Requests that say where comments are to stand."""
REFUSAL = {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"]}
BASE = CONFIG | {"app.py": "".join(f"line_{number} = {number}\n" for number in range(1, 61))}


def app(*changes: tuple[int, str]) -> dict[str, str]:
    """``app.py`` with some of its lines replaced."""
    lines = BASE["app.py"].splitlines()
    for number, text in changes:
        lines[number - 1] = text
    return {"app.py": "\n".join(lines) + "\n"}


def bug(number: int) -> tuple[int, str]:
    return number, f"x = {number}  # BUG warning Bug {number}"


ONE = app((10, "line_10 = 1 / 0  # BUG error Division by zero"))
TWO = app(
    (10, "line_10 = 1 / 0  # BUG error Division by zero"),
    (50, "line_50 = None  # BUG warning None is returned"),
)


def check(github: FakeGitHub, *, ended: bool = True) -> None:
    """What holds at the end of every story; ``ended``: that every check run does."""
    answers = [one.refused for one in github.requests if _PLACING.search(one.key)]
    refused = [one for one in answers if b'"status":"422"' in one]
    assert refused == [], "an anchor was sent that GitHub refuses"
    for repository in github.world.repositories.values():
        for run in repository.check_runs.values():
            assert not ended or run.status == "completed", f"check run {run.id} never ended"
        for pull in repository.pulls:
            bodies = [one.body for one in pull.review_comments if one.in_reply_to is None]
            found = [body.split("findings=")[1][:16] for body in bodies if "kind=finding" in body]
            found += [id_ for one in pull.reviews for id_ in _TOLD.findall(one.body)]
            # Two jobs at once on one commit may both list what has no comment.
            listed = {
                (one.commit, id_) for one in pull.reviews for id_ in _LISTED.findall(one.body)
            }
            found += [id_ for _, id_ in listed]
            assert len(set(found)) == len(found), "a finding was posted twice"
            ours = [one.body for one in pull.comments if one.user.kind == "Bot"]
            summaries = [body for body in ours if "kind=summary" in body]
            assert len(summaries) <= 1, "there is more than one summary"
            for summary in summaries:
                left_out = sum(map(int, _LEFT_OUT.findall(summary)))
                unlisted = _unlisted(summary, found)
                assert len(unlisted) <= left_out, f"neither posted nor listed: {unlisted}"
            said = [[body for body in ours if "kind=summary" not in body]]
            said += [_replies(thread) for thread in pull.threads]
            for texts in said:
                assert len(set(texts)) == len(texts), "the same was answered twice in one place"
            keys = [key for texts in said for key in _KEY.findall("\n".join(texts))]
            assert len(set(keys)) == len(keys), "a command was answered twice"


def _unlisted(summary: str, posted: list[str]) -> list[str]:
    """Return the titles of the open findings that neither a summary nor a comment shows.

    Those without room are counted.
    """
    if "more findings: no room here" in summary:
        return []
    text = _words(summary)
    return [
        one.title
        for one in records_in(summary)
        if one.state == "open"
        and one.id not in posted
        and f"`{one.id}`" not in summary
        and not (one.title and _words(one.title) in text)
    ]


def _words(text: str) -> str:
    """Return the words of a text without the escapes that Markdown has between them."""
    return " ".join(re.findall(r"[^\W_]+", text))


def _replies(thread: Thread) -> list[str]:
    """What bots answered in a thread."""
    return [one.body for one in thread.comments[1:] if one.user.kind == "Bot"]


def posted_texts(github: FakeGitHub) -> list[str]:
    """What we say on all pull requests: comments and reviews, and checks of earlier heads."""
    found = []
    for repository in github.world.repositories.values():
        earlier = [*repository.check_runs.values()][:-1]
        found += [run.text for run in earlier if run.text]
        for pull in repository.pulls:
            bodies = [one.body for one in (*pull.comments, *pull.review_comments)]
            bodies += [one.body for one in pull.reviews]
            found += [one for one in bodies if "<!-- reviewbot" in one]
    return found


def job_summaries(folder: Path) -> list[str]:
    """What the jobs of a runner have written."""
    return [one.read_text() for one in folder.glob("summary*")]


def not_in(texts: list[str], model: FakeAnthropic) -> list[str]:
    """The titles of what a model has said to its end, and not refuted, that no text has."""
    told = {_words(title) for text in texts for title in _titles_in(text)}
    return [
        one["title"]
        for asked, reply in model.replies
        if asked.ended == "complete" and isinstance(reply, Answer)
        for one in reply.findings or ()
        if _words(one["title"]) not in told and one["title"] not in model.refuted
    ]


def _titles_in(text: str) -> list[str]:
    """All that a text of ours has where the title of a finding can stand."""
    return [next(filter(None, one.groups()), "") for one in _TITLE.finditer(text)]


def titles(pull: PullRequest) -> list[str]:
    """The first lines of our comments on lines, without the icon of the severity."""
    return [
        re.sub(r"^\*\*\S+ ", "**", one.body.split("\n")[0])
        for one in pull.review_comments
        if "kind=finding" in one.body
    ]


def summary_of(pull: PullRequest) -> str:
    return next(one.body for one in pull.comments if "kind=summary" in one.body)


def base_goes_on(pull: PullRequest, base_changes: Any, head_changes: Any) -> None:
    """The base gets a commit; the pull request is rebased on it, as one commit."""
    repo = pull.repo
    repo.commit(pull.base_ref, base_changes, "On the base")
    onto = repo.branches[pull.base_ref]
    sha = repo.make_commit((onto,), head_changes, "Rebased", pull.user.login)
    repo.move(pull.head_ref, sha, by=pull.user.login)


def ignore_first(pull: PullRequest, by: str = "octo") -> IssueComment:
    """Ignore the first finding that the summary tells of."""
    return pull.comment(f"/ignore {state_of(pull).records[0].id}", by=by)


def conclusions(pull: PullRequest) -> list[str]:
    runs = pull.repo.check_runs.values()
    return [run.conclusion or "none" for run in runs]


def replies(pull: PullRequest) -> list[str]:
    """What we answered, without the marker."""
    every = [*pull.comments, *pull.review_comments]
    return [one.body.split("\n\n<!--")[0] for one in every if "kind=reply" in one.body]


async def job(
    runner: Runner, pull: PullRequest, comment: IssueComment | ReviewComment, **more: str
) -> Run:
    """What the workflow does about a comment."""
    on_line = hasattr(comment, "in_reply_to")
    event = "pull_request_review_comment" if on_line else "issue_comment"
    runner.event(pull, event, "created", comment=comment, sender=comment.user)
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": event, **more}
    return await runner.step(env)


def nothing(_request: Recorded) -> Answer:
    """A model that finds nothing."""
    return Answer(findings=[])


def says(**changes: Any) -> Any:
    """A model that finds one thing."""
    return lambda _request: Answer(findings=[finding(**changes)])


SAME = "total = 1 / 0  # BUG error Division by zero"
REMOVED = "line_10 = 10"


def removal(*more: tuple[int, str]) -> dict[str, str]:
    """``app.py`` without its tenth line."""
    lines = app(*more)["app.py"].splitlines()
    del lines[9]
    return {"app.py": "\n".join(lines) + "\n"}


TEXT = ONE["app.py"].splitlines()[9]
AT = {"path": "app.py", "quote": TEXT, "line": 10, "end_line": 10}

either_way = pytest.mark.parametrize("comments", ["true", "false"])


@dataclass
class Overtaken(Fault):
    """A write is slow, and another job is begun by a push meanwhile."""

    push: Callable[[], Awaitable[Run]] | None = None
    job: asyncio.Future[Run] | None = None

    def takes(self, request: Called) -> bool:
        if not super().takes(request):
            return False
        assert self.push is not None
        self.job = asyncio.ensure_future(self.push())
        return True


ROWS = BASE["app.py"].splitlines()


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


BLOCK = ["begin = True", "check = False", "total = 1 / 0", "end = True"]


def at_line(number: int, title: str = "Division by zero") -> dict[str, object]:
    return finding(path="app.py", quote=BLOCK[2], line=number, end_line=number, title=title)


TWO_BLOCKS = {"app.py": lines(*ROWS[:20], *BLOCK, *ROWS[20:40], *BLOCK, *ROWS[40:])}
LATER_BLOCK = {"app.py": lines(*ROWS[:40], *BLOCK, *ROWS[40:])}
GOOD = [*BLOCK[:2], "total = 5", BLOCK[3]]


def with_line(number: int, text: str) -> str:
    rows = [*ROWS]
    rows[number - 1] = text
    return lines(*rows)
