"""Repositories of the fake over git's own protocol, for tokens that may read them."""

from __future__ import annotations

import base64
import binascii
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.fake_github.wire import Answer
from tests.support.git_server import http_backend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import Recorded
    from tests.fake_github.world import World


def is_git(path: str) -> bool:
    """Return whether a path is one of git's protocol."""
    return ".git/" in path


def answer(world: World, request: Recorded, heads: Mapping[int, str]) -> Answer:
    """Return the answer to a request of git. Blocks. What the caller may not see is not there.

    ``heads`` has the heads that differ from those of the API, by the number of the pull request.
    """
    name, _, rest = request.path.strip("/").partition(".git/")
    repo = world.repositories.get(name.lower())
    authorization = request.headers.get("authorization")
    if authorization is None and (repo is None or repo.private):
        return Answer(b"", 401, {"www-authenticate": 'Basic realm="GitHub"'})
    if repo is None or not (_sees(world, authorization, repo) or not repo.private):
        return Answer(b"Repository not found.", 404)
    _publish(repo, heads)
    folder = repo.store.folder
    target = f"/{folder.name}/{rest}?{urlencode(request.query)}"
    headers = {key: value for key, value in request.headers.items() if key != "authorization"}
    found = http_backend(folder.parent, request.method, target, headers, request.raw)
    return Answer(found.body, found.status, found.headers)


def _sees(world: World, authorization: str | None, repo: Repository) -> bool:
    try:
        pair = base64.b64decode((authorization or "").removeprefix("Basic "), validate=True)
    except binascii.Error:
        return False
    token = world.tokens.get(pair.decode().partition(":")[2])
    if token is None or token.revoked or token.expires <= world.clock.now():
        return False
    installation = token.installation
    if installation is None or installation.suspended is not None:
        return False
    is_installed = installation.id in world.installations
    return is_installed and token.sees(repo) and token.permissions.get("contents") is not None


def _publish(repo: Repository, heads: Mapping[int, str]) -> None:
    """Write the objects and the refs of the pull requests to the folder."""
    repo.store.save()
    folder = repo.store.folder
    for key in ("allowFilter", "allowAnySHA1InWant"):
        command = ["git", "config", "--file", str(folder / "config"), f"uploadpack.{key}", "true"]
        subprocess.run(command, check=True, capture_output=True)
    for pull in repo.pulls:
        ref = folder / "refs" / "pull" / str(pull.number) / "head"
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(f"{heads.get(pull.number, pull.head_sha)}\n")
