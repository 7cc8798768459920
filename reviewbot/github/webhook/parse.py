"""Verify and parse deliveries of GitHub. Pure.

Parsing is lenient, because real payloads violate GitHub's own schemas: only required fields are
read. Each field is checked and bounded. If a required field is missing or invalid, the result is
:class:`~reviewbot.github.webhook.tasks.IgnoredDelivery` with a reason. Nothing raises, and no
reason quotes untrusted text.

Sources: docs.github.com, "Validating webhook deliveries" and "Webhook events and payloads".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, get_args

from reviewbot.core.render.inert import well_formed
from reviewbot.github.markers import has_marker
from reviewbot.github.webhook.payload import Payload, PayloadError, at, positive, word
from reviewbot.github.webhook.tasks import (
    CancelAction,
    Commented,
    IgnoredDelivery,
    InstallationAction,
    InstallationChanged,
    MergeGroupDestroyed,
    MergeGroupRequested,
    Ping,
    PullRequestInactive,
    ReplyContext,
    RepositoriesChanged,
    RerunWanted,
    ReviewAction,
    ReviewRequested,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.github.webhook.payload import App
    from reviewbot.github.webhook.tasks import Task

MAX_COMMENT: Final = 65_536
"""Maximum characters of a comment; GitHub takes no more."""
MAX_PULLS: Final = 20
"""Maximum number of pull requests of a check run or suite to read."""

_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_DELIVERY: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]{1,255}")
_BRANCH_REF: Final = re.compile(rf"refs/heads/{_BRANCH.pattern}")
_EXTERNAL_ID: Final = re.compile(r"[!-~]{1,200}")
_BUTTON: Final = re.compile(r"[a-z-]{1,20}")

_WANTED: Final[dict[str, ReviewAction]] = {one: one for one in get_args(ReviewAction)}
_UNWANTED: Final[dict[str, CancelAction]] = {one: one for one in get_args(CancelAction)}
_MOVED: Final = frozenset({"deleted", "privatized", "publicized", "transferred"})
"""Actions of ``repository`` after which others than before may see the code."""
_INSTALLATION: Final[dict[str, InstallationAction]] = {
    one: one for one in get_args(InstallationAction)
}


def is_signed(body: bytes, header: str | None, secrets: tuple[str, ...]) -> bool:
    """Return whether ``header`` (``X-Hub-Signature-256``) is a valid signature of ``body``.

    Without the header or a secret the result is False. The time does not depend on which secret is
    valid.

    There are two ``secrets`` during a rotation. Empty secrets are ignored.
    """
    sent = _SIGNATURE.fullmatch(header or "")
    if sent is None:
        return False
    fits = False
    for secret in filter(None, secrets):
        key = secret.encode("utf-8", "surrogateescape")
        made = hmac.new(key, body, hashlib.sha256).hexdigest()
        fits |= hmac.compare_digest(made, sent[1])
    return fits


def read(event: str, delivery: str, body: bytes, app: App | None) -> Task:
    """Return the task of a delivery.

    ``event`` is the header ``X-GitHub-Event`` and ``delivery`` the header ``X-GitHub-Delivery``;
    neither is signed. ``body`` is the JSON payload, verified with :func:`is_signed`. ``app`` is
    None for the event file of an Action.
    """
    if not _DELIVERY.fullmatch(delivery):
        return IgnoredDelivery("", "the id of the delivery is invalid")
    reader = _READERS.get(event)
    if reader is None:
        return IgnoredDelivery(delivery, f"{word(event) or 'unknown event'}: nothing to do")
    try:
        return reader(Payload(delivery, body, app))
    except PayloadError as unusable:
        return IgnoredDelivery(delivery, f"{event}: {unusable}")


def _pull_request(payload: Payload) -> Task:
    if payload.action not in {**_WANTED, **_UNWANTED}:
        raise payload.nothing()
    if payload.action == "edited" and not isinstance(payload.at("changes.base"), dict):
        raise payload.nothing()  # of all edits, only a new base changes the diff
    origin, number = payload.origin(), payload.id("pull_request.number")
    updated_at = payload.moment("pull_request.updated_at")
    if payload.action in _UNWANTED:
        action, merged = _UNWANTED[payload.action], payload.at("pull_request.merged") is True
        return PullRequestInactive(*origin, action, number, updated_at, merged)
    if payload.at("pull_request.draft") is True:
        raise PayloadError("a draft")
    if payload.at("pull_request.state") == "closed":
        raise PayloadError("closed")
    return ReviewRequested(
        *origin,
        _WANTED[payload.action],
        number,
        head_sha=payload.text("pull_request.head.sha", _SHA),
        updated_at=updated_at,
    )


def _issue_comment(payload: Payload) -> Task:
    if not isinstance(payload.at("issue.pull_request"), dict):
        raise PayloadError("not on a pull request")
    return _comment(payload, "issue", None)


def _review_comment(payload: Payload) -> Task:
    is_reply = payload.at("comment.in_reply_to_id") is not None
    thread = payload.id("comment.in_reply_to_id" if is_reply else "comment.id")
    task = _comment(payload, "pull_request", thread)
    if not is_reply or payload.at("pull_request.state") != "open":
        return task
    with suppress(PayloadError):  # without its context, a reply is only searched for commands
        task = replace(task, reply=_reply_context(payload))
    return task


def _reply_context(payload: Payload) -> ReplyContext:
    """Return the pull request of a reply.

    Raises:
        PayloadError: a field is missing.
    """
    head, base = (payload.at(f"pull_request.{side}.repo.id") for side in ("head", "base"))
    return ReplyContext(
        payload.text("pull_request.head.sha", _SHA),
        payload.text("pull_request.base.sha", _SHA),
        f"refs/heads/{payload.text('pull_request.base.ref', _BRANCH)}",
        is_fork=positive(head) is None or head != base,
    )


def _comment(payload: Payload, pull: str, thread: int | None) -> Commented:
    if payload.action != "created":
        raise payload.nothing()
    origin, sender = payload.origin(), payload.login("sender")
    _check_person(payload, sender)
    body = payload.at("comment.body")
    if not isinstance(body, str):
        raise PayloadError("no usable comment.body")
    # Databases accept neither NUL nor a lone surrogate.
    body = str(well_formed(body[:MAX_COMMENT].replace("\0", "\ufffd")))
    if has_marker(body):
        raise PayloadError("a comment of ours")
    return Commented(
        *origin,
        sender,
        payload.id(f"{pull}.number"),
        payload.id("comment.id"),
        thread,
        body,
        payload.login(f"{pull}.user"),
    )


def _check_person(payload: Payload, sender: str) -> None:
    """Raise unless a person wrote the comment, so that bots never answer each other.

    Raises:
        PayloadError: no person wrote the comment.
    """
    if "Bot" in (payload.at("sender.type"), payload.at("comment.user.type")):
        raise PayloadError("by a bot")
    if payload.at("comment.performed_via_github_app") is not None:
        raise PayloadError("by an app")
    if not sender or sender.endswith("[bot]") or sender != payload.login("comment.user"):
        raise PayloadError("no usable sender")


def _check_run(payload: Payload) -> Task:
    button = None
    if payload.action == "requested_action":
        button = payload.text("requested_action.identifier", _BUTTON)
    elif payload.action != "rerequested":
        raise payload.nothing()
    external_id = payload.at("check_run.external_id")
    known = isinstance(external_id, str) and _EXTERNAL_ID.fullmatch(external_id)
    return _rerun(
        payload,
        "check_run",
        external_id=str(external_id) if known else None,
        button=button,
    )


def _check_suite(payload: Payload) -> Task:
    if payload.action != "rerequested":
        raise payload.nothing()
    return _rerun(payload, "check_suite")


def _rerun(
    payload: Payload,
    kind: str,
    *,
    external_id: str | None = None,
    button: str | None = None,
) -> Task:
    if payload.app is None or not payload.app.is_meant(payload.at(f"{kind}.app")):
        raise PayloadError("of another app")
    origin = payload.origin()
    if payload.login("sender").lower() == f"{payload.app.slug}[bot]".lower():
        raise PayloadError("by ourselves")
    return RerunWanted(
        *origin,
        head_sha=payload.text(f"{kind}.head_sha", _SHA),
        external_id=external_id,
        button=button,
        numbers=_numbers(payload.at(f"{kind}.pull_requests"), payload.id("repository.id")),
    )


def _numbers(pulls: object, repository: int) -> tuple[int, ...]:
    """Return the pull requests into this repository. GitHub lists those into forks, too."""
    return tuple(
        number
        for pull in (pulls[:MAX_PULLS] if isinstance(pulls, list) else ())
        if at(pull, "base.repo.id") == repository
        and (number := positive(at(pull, "number"))) is not None
    )


def _merge_group(payload: Payload) -> Task:
    if payload.action not in ("checks_requested", "destroyed"):
        raise payload.nothing()
    origin, head = payload.origin(), payload.text("merge_group.head_sha", _SHA)
    if payload.action == "destroyed":
        return MergeGroupDestroyed(*origin, head)
    base = payload.text("merge_group.base_ref", _BRANCH_REF)
    return MergeGroupRequested(*origin, head, base.removeprefix("refs/heads/"))


def _installation(payload: Payload) -> Task:
    action = _INSTALLATION.get(payload.action)
    if action is None:
        raise payload.nothing()
    return InstallationChanged(payload.delivery, action, payload.id("installation.id"))


def _installation_repositories(payload: Payload) -> Task:
    if payload.action != "removed":
        raise payload.nothing()
    listed = payload.at("repositories_removed")
    ids = (
        positive(at(repository, "id"))
        for repository in (listed if isinstance(listed, list) else ())
    )
    return _changed(payload, tuple(number for number in ids if number is not None))


def _repository(payload: Payload) -> Task:
    if payload.action not in _MOVED:
        raise payload.nothing()
    return _changed(payload, (payload.id("repository.id"),))


def _changed(payload: Payload, repositories: tuple[int, ...]) -> Task:
    return RepositoriesChanged(payload.delivery, payload.id("installation.id"), repositories)


_READERS: Final[dict[str, Callable[[Payload], Task]]] = {
    "pull_request": _pull_request,
    "issue_comment": _issue_comment,
    "pull_request_review_comment": _review_comment,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "merge_group": _merge_group,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
    "repository": _repository,
    "ping": lambda payload: Ping(payload.delivery),
}
