"""The repository of a pull request, as git fetches it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from reviewbot.code.git_fetch import Origin
from reviewbot.config.settings import SecretText

if TYPE_CHECKING:
    from reviewbot.github.change.subject import Subject


def origin_of(subject: Subject, page: str, token: SecretText | None) -> Origin:
    """Return where git fetches the head and the merge base of a pull request from.

    The commit of ``refs/pull/N/head`` must be the head: by its hash alone, GitHub would return a
    commit of any fork. ``page`` is the current page of the repository. Without a ``token``, only a
    public repository can be fetched.
    """
    authorization = None
    if token is not None:
        pair = f"x-access-token:{token.reveal()}".encode()
        authorization = SecretText(f"Basic {base64.b64encode(pair).decode()}")
    return Origin(
        url=f"{page}.git",
        authorization=authorization,
        ref=f"refs/pull/{subject.pull.number}/head",
        head=subject.head,
        base=subject.merge_base,
    )
