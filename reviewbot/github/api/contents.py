"""Files of a repository, as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from reviewbot.github.api.records import commit, repository
from reviewbot.github.client.errors import NotFoundError
from reviewbot.github.client.exchange import MAX_ANSWER, RAW, Request, read

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from reviewbot.github.client.caller import AccountClient

MAX_TREE: Final = MAX_ANSWER
"""Maximum bytes of the list of all files; GitHub documents 7 MB and 100,000 entries."""
_LISTING: Final = "application/json"
"""Content type of a folder, whatever media type was requested."""


class Contents:
    """API calls for files."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def file(self, repo: str, path: str, ref: str | None, *, max_bytes: int) -> bytes | None:
        """Return a file at a commit or branch; None if the file does not exist.

        Without ``ref``, the file is that of the default branch.

        Raises:
            TooLargeError: the file exceeds ``max_bytes`` or GitHub's limit (100 MB).
        """
        # No repository has such a path, but the request could reach another repository.
        if {"", ".", ".."} & set(path.split("/")) or "\0" in path:
            return None
        quoted = quote(path.encode("utf-8", "surrogateescape"), safe="/")
        request = read(
            f"{repository(repo)}/contents/{quoted}",
            {} if ref is None else {"ref": ref},
            accept=RAW,
            max_bytes=max_bytes,
        )
        try:
            answer = await self._caller.answer(request)
        except NotFoundError:
            return None
        is_folder = answer.headers.get("content-type", "").startswith(_LISTING)
        return None if is_folder else answer.body

    async def folder(self, repo: str, path: str, ref: str) -> dict[str, str]:
        """Return the regular files of a folder at a commit: their blobs, by name.

        The result is empty if the folder does not exist. GitHub lists the first 1,000 entries.
        """
        request = read(f"{repository(repo)}/contents/{quote(path, safe='/')}", {"ref": ref})
        try:
            return await self._caller.one(request, _files)
        except NotFoundError:
            return {}

    async def tree(self, repo: str, sha: str) -> tuple[dict[str, tuple[str, str]], bool]:
        """Return mode and object id of each file and link of a commit, by path.

        The second value is True if GitHub left entries out, as in a very large repository.

        Raises:
            TooLargeError: the list exceeds :data:`MAX_TREE`.
        """
        path = f"{repository(repo)}/git/trees/{commit(sha)}"
        request = read(path, {"recursive": 1}, max_bytes=MAX_TREE)
        return await self._caller.one(request, _tree)

    async def tip(self, repo: str, branch: str) -> str:
        """Return the last commit of a branch.

        Raises:
            NotFoundError: the branch does not exist.
        """
        name = quote(branch.encode("utf-8", "surrogateescape"), safe="/")
        request = read(f"{repository(repo)}/git/ref/heads/{name}")
        return await self._caller.one(request, lambda found: commit(found["object"]["sha"]))

    def fetching(self, repo: str) -> AbstractAsyncContextManager[None]:
        """Return a context that counts as one request, for a fetch by git meanwhile.

        Raises:
            RateLimitedError: the wait for it would be too long.
        """
        path = repository(repo).removeprefix("/repos")
        return self._caller.slot(Request(verb="POST", path=f"{path}.git/git-upload-pack"))

    async def blob(self, repo: str, sha: str, *, max_bytes: int) -> bytes:
        """Return the content of a blob.

        Raises:
            TooLargeError: the blob exceeds ``max_bytes`` or GitHub's limit.
        """
        path = f"{repository(repo)}/git/blobs/{commit(sha)}"
        return (await self._caller.answer(read(path, accept=RAW, max_bytes=max_bytes))).body


def _tree(found: Any) -> tuple[dict[str, tuple[str, str]], bool]:  # noqa: ANN401 - JSON of GitHub
    blobs = (one for one in found["tree"] if one["type"] == "blob")
    entries = {str(one["path"]): (str(one["mode"]), commit(one["sha"])) for one in blobs}
    return entries, found["truncated"] is True


def _files(found: Any) -> dict[str, str]:  # noqa: ANN401 - JSON of GitHub
    """Return the files of a listing; empty for a path that is not a folder."""
    entries = found if isinstance(found, list) else []
    return {str(one["name"]): commit(one["sha"]) for one in entries if one["type"] == "file"}
