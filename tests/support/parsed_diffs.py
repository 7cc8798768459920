"""Diffs of one file, parsed or refused."""

from __future__ import annotations

import pytest

from reviewbot.core.diff.parse import DiffLine, FileDiff, parse_diff
from reviewbot.errors import DiffError

HEADER = b"diff --git a/f b/f\nindex 1234567..89abcde 100644\n--- a/f\n+++ b/f\n"
HUNK = b"@@ -1,2 +1,2 @@ def f():\n same\n-old\n+new\n"


def one(data: bytes) -> FileDiff:
    (file,) = parse_diff(data)
    return file


def lines(data: bytes) -> list[DiffLine]:
    return [line for hunk in one(data).hunks for line in hunk.lines]


def refusal(data: bytes) -> tuple[int, str]:
    with pytest.raises(DiffError) as caught:
        parse_diff(data)
    return caught.value.line, caught.value.message
