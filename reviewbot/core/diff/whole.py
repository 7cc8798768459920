"""Diffs that show the whole new file. Pure."""

from __future__ import annotations

import hashlib

from reviewbot.core.diff.cursor import Cursor
from reviewbot.core.diff.hunks import scan_hunk
from reviewbot.core.diff.parse import FileDiff
from reviewbot.core.diff.widen import new_content

_SHORTEST = 7
"""Digits of a hash that git writes at least by default."""


def shows_whole_file(file: FileDiff) -> bool:
    """Return whether the hunks show every line of the new file.

    A hunk does not state that the file ends after it. So the content is compared with git's hash of
    the new file, which counts the type and the length of the content, too: see
    https://git-scm.com/book/en/v2/Git-Internals-Git-Objects.
    """
    if len(file.hunks) != 1 or file.hunks[0].new_start > 1:
        return False
    if file.status == "added":
        return True
    if file.blobs is None:
        return False
    blob = file.blobs[1]
    if len(blob) < _SHORTEST:
        return False
    content = new_content(file)
    data = b"blob %d\0%b" % (len(content), content)
    hashes = (hashlib.sha1(data, usedforsecurity=False), hashlib.sha256(data))
    return any(one.hexdigest().startswith(blob) for one in hashes)


def added_file(path: str, content: bytes) -> FileDiff:
    """Return a diff that adds a file, for code that takes a diff, such as the policy."""
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    body = b"".join(b"+%b\n" % line for line in lines)
    if lines and not content.endswith(b"\n"):
        body += b"\\ No newline at end of file\n"
    data = b"@@ -0,0 +1,%d @@\n%b" % (len(lines), body)
    hunks = (scan_hunk(Cursor(data), crlf=False),) if lines else ()
    return FileDiff(None, path, "added", None, "100644", hunks=hunks)
