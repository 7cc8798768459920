"""Whether a comment may stand where it wants to, and GitHub's sentences where it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_github.comments import Anchor
from tests.fake_github.wire import JSON, Refused, unprocessable

if TYPE_CHECKING:
    from tests.fake_github.diffs import FileDiff, Line
    from tests.fake_github.pulls import PullRequest

LINE = ("line", "must be part of the diff")
PATH = ("path", "")
TOO_LARGE = ("path", "diff too large")
HUNK = ("start_line", "must be part of the same hunk as the line.")
ORDER = ("start_line", "must precede the end line.")


class Misplaced(Exception):
    """A field of a comment, and what is wrong with it."""

    def __init__(self, problem: tuple[str, str]) -> None:
        super().__init__(*problem)
        self.field, self.text = problem

    def sentence(self, *, old: bool) -> str:
        """As reviews have it."""
        name = f"Pull request review thread {self.field.replace('_', ' ')}"
        if self.field == "start_line" or self.text == TOO_LARGE[1]:
            return f"{name} {self.text}"
        if old:
            blank = "Pull request review thread diff hunk can't be blank"
            return f"{name} {self.text or 'is invalid'} and {blank}"
        return f"{self.field.capitalize()} could not be resolved"

    def refusal(self, *, old: bool) -> Refused:
        """As single comments have it."""
        name = f"pull_request_review_thread.{self.field}"
        error: JSON = {"resource": "PullRequestReviewComment", "code": "custom", "field": name}
        plain = self.field == "start_line" or self.text == TOO_LARGE[1]
        error["message"] = f"{name} {self.text}" if plain or old else "could not be resolved"
        errors = [error]
        if old and self.field != "start_line":
            missing = "pull_request_review_thread.diff_hunk"
            errors.append(
                {"resource": error["resource"], "code": "missing_field", "field": missing}
            )
        return Refused(422, "Validation Failed", errors)


def commit_of(pull: PullRequest, sha: str | None) -> str:
    """The commit that comments are for: the head, or another one of the pull request."""
    if sha is None:
        return pull.head_sha
    if sha not in pull.commits:
        raise unprocessable("Commit is not part of the pull request")
    return sha


def places(pull: PullRequest, commit: str, comments: list[JSON]) -> list[Anchor]:
    """All places of a review, or one refusal that names none of them."""
    found: list[Anchor] = []
    problems: list[str] = []
    for comment in comments:
        try:
            found.append(_place(pull, commit, comment))
        except Misplaced as problem:
            problems.append(problem.sentence(old=pull.repo.world.rules.old_wording))
    if problems:
        raise unprocessable(*dict.fromkeys(problems))
    return found


def single_place(pull: PullRequest, commit: str, comment: JSON) -> Anchor:
    """The place of one comment, which may be a whole file."""
    try:
        if comment.get("subject_type") == "file":
            _file(pull, commit, comment)
            return Anchor(comment["path"], commit, pull.merge_base, "")
        return _place(pull, commit, comment)
    except Misplaced as problem:
        raise problem.refusal(old=pull.repo.world.rules.old_wording) from None


def _file(pull: PullRequest, commit: str, comment: JSON) -> FileDiff:
    file = {one.path: one for one in pull.diff(commit)}.get(comment["path"])
    if file is None:
        raise Misplaced(PATH)
    return file


def _place(pull: PullRequest, commit: str, comment: JSON) -> Anchor:
    file = _file(pull, commit, comment)
    if file.too_large(pull.repo.world.rules):
        raise Misplaced(TOO_LARGE)
    side = comment.get("side", "RIGHT")
    position, number = comment.get("position"), comment.get("line")
    if number is None and position is not None:
        line = file.at_position(position)
        side = "LEFT" if line is not None and line.mark == "-" else "RIGHT"
    else:
        line = None if number is None else file.find(side, number)
    if line is None:
        raise Misplaced(LINE)
    start_side: str | None = None
    start: int | None = None
    if comment.get("start_line") is not None:
        start_side = str(comment.get("start_side", side))
        start = int(comment["start_line"])
        _check_range(file, line, start_side, start)
    return Anchor(
        file.path,
        commit,
        pull.merge_base,
        file.hunk_until(line),
        side,
        line.old if side == "LEFT" else line.new,
        line.position,
        start_side,
        start,
    )


def _check_range(file: FileDiff, end: Line, side: str, number: int) -> None:
    start = file.find(side, number)
    if start is None or start.hunk != end.hunk:
        raise Misplaced(HUNK)
    if start.position >= end.position:
        raise Misplaced(ORDER)
