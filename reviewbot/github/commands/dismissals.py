"""Replies to ``/ignore`` and ``/ignore undo``. Pure.

The comment with the command is the record of a dismissal, which
:mod:`reviewbot.github.state.read_prior` reads. These functions only say what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.render.markdown_text import code_span, literal

if TYPE_CHECKING:
    from reviewbot.github.state.prior import Prior


def ignored(prior: Prior, finding_id: str, *, may_write: bool) -> tuple[str, bool]:
    """Return the reply to ``/ignore`` as Markdown, and whether it changes the review.

    ``prior`` is the state with the comment. ``may_write`` says whether the person may write to the
    repository; if not, it is the author of the pull request.
    """
    if not _is_known(prior, finding_id):
        later = " If a later review reports it, it is ignored." if may_write else ""
        return f"No finding here has the id {code_span(finding_id)}.{later}", False
    name = _name(prior, finding_id)
    if may_write:
        return f"{name} is ignored from now on, as long as your comment exists.", True
    if _severity(prior, finding_id) == "error":
        return f"{name} is an error. Only people who may write here can dismiss it.", False
    return (
        f"{name} is set aside: the summary folds it. It stays open and counts, until somebody who"
        " may write here dismisses it.",
        True,
    )


def undone(prior: Prior, finding_id: str, *, may_write: bool) -> tuple[str, bool]:
    """Return the reply to ``/ignore undo``, as :func:`ignored` does."""
    if not _is_known(prior, finding_id):
        return f"No finding here has the id {code_span(finding_id)}.", False
    name, by = _name(prior, finding_id), prior.dismissed.get(finding_id)
    if by is None and finding_id in prior.withdrawn:  # only people who may write undo this
        return f"{name} was withdrawn. Only people who may write here can undo this.", False
    if by is None:
        return f"{name} is reported again.", True
    if may_write:  # a comment no longer dismisses it, so its resolved thread does
        return f"{literal(by)} resolved the thread of {name}. Unresolve it to undo this.", False
    return f"{literal(by)} dismissed {name}. Only people who may write here can undo this.", False


def _is_known(prior: Prior, finding_id: str) -> bool:
    """Return whether a finding is in our state, our comments or our texts."""
    if prior.record(finding_id) or finding_id in prior.posted:
        return True
    summary = prior.summary[0].body if prior.summary else ""
    return any(finding_id in text for text in (summary, *(review.body for review in prior.reviews)))


def _name(prior: Prior, finding_id: str) -> str:
    """Return the title of a finding, or its id if the state does not have the title."""
    record = prior.record(finding_id)
    title = record.title.strip() if record else ""
    return f"“{literal(title)}”" if title else code_span(finding_id)


def _severity(prior: Prior, finding_id: str) -> str:
    """Return the severity of a finding; the highest if it is unknown."""
    if record := prior.record(finding_id):
        return record.severity
    posted = prior.posted.get(finding_id)
    return posted.severity if posted else "error"
