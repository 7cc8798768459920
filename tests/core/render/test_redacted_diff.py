"""Diffs whose bytes are redacted without changing their lines."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from hypothesis import given

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.render.redacted_diff import redact_diff
from reviewbot.errors import ReviewbotError
from reviewbot.server.documents import diff_document
from tests.github.diff_strategies import diffs
from tests.server.nodes import DEMO
from tests.support.planted_secrets import BEGIN, BODY, END, KEY
from tests.support.stored_bytes import token

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from reviewbot.core.safety.search_text import Hit, ScanText

TOKEN = token("diff")
MARK = "[REDACTED:secret]"


def shape(data: bytes) -> list[object]:
    """The files, hunks and line numbers of a diff."""
    return [
        (
            (file.old_path, file.new_path, file.status, file.binary),
            [
                [(line.kind, line.old_no, line.new_no, line.no_newline) for line in hunk.lines]
                for hunk in file.hunks
            ],
        )
        for file in parse_diff(data)
    ]


def test_a_diff_without_secrets_keeps_its_bytes() -> None:
    for data in (DEMO, DEMO.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + DEMO, b""):
        redacted = redact_diff(data)
        assert shape(redacted) == shape(data)
        assert redact_diff(redacted) == redacted


@given(diffs())
def test_files_and_line_numbers_stay_the_same(text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    assert shape(redact_diff(data)) == shape(data)


def test_lines_headings_and_messages_are_redacted_and_all_else_is_kept() -> None:
    key = "\n".join(f"+{line}" for line in (BEGIN, *BODY, END))
    size = 2 + len(BODY)
    data = f"""\
From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001
Subject: [PATCH] Use {TOKEN}

---
diff --git a/a.py b/a.py
index 1234567..89abcde 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@ def use(token="{TOKEN}"):
 same
-old = "{TOKEN}"
\\ No newline at end of file
+new = "{TOKEN}"
\\ No newline at end of file
diff --git a/key.pem b/key.pem
new file mode 100644
--- /dev/null
+++ b/key.pem
@@ -0,0 +1,{size} @@
{key}
diff --git a/x.bin b/x.bin
index 1234567..89abcde 100644
GIT binary patch
literal 3
K{"z" * 30}

literal 3
K{"z" * 30}

--{" "}
2.40
""".encode()
    text = data.decode().replace(TOKEN, MARK)
    for line in BODY:
        text = text.replace(f"+{line}\n", f"+{KEY}\n")
    assert redact_diff(data).decode() == text
    assert shape(redact_diff(data)) == shape(data)


def test_carriage_returns_are_kept() -> None:
    text = f"--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b = '{TOKEN}'\n"
    for data in (text.replace("\n", "\r\n"), text.replace("'\n", "'\r\n")):
        assert redact_diff(data.encode()).decode() == data.replace(TOKEN, MARK)


def test_bytes_that_are_no_text_are_kept() -> None:
    noise = base64.b85decode("0ssI20ssI20ssI2")
    data = b"--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n-\xff\n+\xfe%s\n+t = '%s'\n" % (
        noise.replace(b"\n", b""),
        TOKEN.encode(),
    )
    assert redact_diff(data) == data.replace(TOKEN.encode(), MARK.encode())


def test_no_text_is_shown_of_a_file_that_cannot_be_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched = b"diff --git a/b.py b/b.py\n--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-a\n+b\n"
    data = b"""\
diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1 +1,2 @@ password = "%(password)s"
-old
+password = "%(password)s"
+user
""" % {b"password": b"hunter2Zk29"}

    def search(scan: ScanText) -> Iterator[Hit]:
        if "hunter2" in scan.text:
            raise ReviewbotError("too many secrets")
        yield from ()

    monkeypatch.setattr("reviewbot.core.safety.leak_scan.find", search)

    redacted = redact_diff(data + searched)

    mark = MARK.encode()
    assert redacted == (
        data.split(b"@@ -")[0]
        + b"@@ -1 +1,2 @@ %s\n-%s\n+%s\n+%s\n" % (mark, mark, mark, mark)
        + searched
    )
    document = json.dumps(diff_document(parse_diff(data + searched)))
    assert "hunter2Zk29" not in document
    assert '"added", null, 1, "b"' in document
