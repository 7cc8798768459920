"""Diffs of git, read whole or refused at their line."""

from __future__ import annotations

import pytest

from reviewbot.core.diff.parse import SUBMODULE, DiffLine, parse_diff
from reviewbot.errors import DiffError
from tests.support.parsed_diffs import HEADER, HUNK, lines, one, refusal


def test_a_file_has_its_facts_without_its_lines() -> None:
    file = one(HEADER + HUNK)
    assert (file.path, file.old_path, file.new_path, file.status) == ("f", "f", "f", "modified")
    assert (file.old_mode, file.new_mode, file.binary) == ("100644", "100644", False)
    assert (file.added, file.removed, file.size) == (1, 1, len(HUNK))
    (hunk,) = file.hunks
    assert (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count) == (1, 2, 1, 2)
    assert (hunk.section, hunk.added, hunk.removed, hunk.size) == ("def f():", 1, 1, len(HUNK))
    assert hunk.lines == (
        DiffLine("context", 1, 1, "same"),
        DiffLine("removed", 2, None, "old"),
        DiffLine("added", None, 2, "new"),
    )


def test_lines_are_as_frozen_and_equal_as_if_made_by_hand() -> None:
    (line, *_) = lines(HEADER + HUNK)
    assert hash(line) == hash(DiffLine("context", 1, 1, "same"))
    with pytest.raises(AttributeError):
        line.text = "other"  # type: ignore[misc]  # that it is refused is the promise


def test_hunks_do_not_keep_the_lines_that_were_read() -> None:
    (hunk,) = one(HEADER + HUNK).hunks
    assert hunk.lines[0] is not hunk.lines[0]


# Long hunks are read in blocks.


def long_hunk(count: int) -> tuple[bytes, list[bytes]]:
    body = [b" +-"[at % 3 : at % 3 + 1] + b"%d" % at for at in range(count)]
    old, new = (sum(line[:1] != mark for line in body) for mark in (b"+", b"-"))
    header = b"@@ -7,%d +9,%d @@\n" % (old, new)
    return HEADER + header + b"\n".join(body) + b"\n", body


@pytest.mark.parametrize("count", [511, 512, 513, 1024, 1500])
def test_a_long_hunk_reads_the_same_whole_one_by_one_and_in_slices(count: int) -> None:
    data, body = long_hunk(count)
    (hunk,) = one(data).hunks
    whole = hunk.lines
    assert [line.text.encode() for line in whole] == [line[1:] for line in body]
    assert tuple(hunk.iter_lines()) == whole
    for start, stop in [(0, 0), (0, 1), (510, 514), (0, count), (count - 1, count), (3, 10**6)]:
        assert hunk.slice(start, stop) == whole[start:stop]


@pytest.mark.parametrize("at", [0, 1, 2, 511, 512, 513, 1499])
def test_a_position_is_the_start_of_a_hunk_that_begins_there(at: int) -> None:
    data, _ = long_hunk(1500)
    (hunk,) = one(data).hunks
    rest = hunk.lines[at:]
    assert hunk.position(at) == (
        next((line.old_no for line in rest if line.old_no is not None), 7 + hunk.old_count),
        next((line.new_no for line in rest if line.new_no is not None), 9 + hunk.new_count),
    )


def test_the_position_on_a_side_without_lines_is_the_line_before() -> None:
    (hunk,) = one(HEADER + b"@@ -5,0 +6,2 @@\n+a\n+b\n").hunks
    assert [hunk.position(at) for at in (0, 1)] == [(5, 6), (5, 7)]


def test_missing_newlines_are_said_of_the_last_line_of_each_side_in_whatever_block() -> None:
    old = b"".join(b"-%d\n" % at for at in range(600))
    new = b"".join(b"+%d\n" % at for at in range(600))
    marker = b"\\ No newline at end of file\n"
    read = lines(HEADER + b"@@ -1,600 +1,600 @@\n" + old + marker + new + marker)
    assert [at for at, line in enumerate(read) if line.no_newline] == [599, 1199]
    assert {line.text for line in read} == {str(at) for at in range(600)}


def test_the_marker_may_be_in_any_language() -> None:
    read = lines(HEADER + b"@@ -1 +1 @@\n-a\n\\ Kein Zeilenumbruch am Dateiende.\n+b\n")
    assert [line.no_newline for line in read] == [True, False]


# What unidiff would change, were it let.


@pytest.mark.parametrize(
    "text", ["\r", "a\rb", "a\x0cb", "\u2028", "\x85", "", "\t ", "\\ No newline", "\udcff", "\r\r"]
)
def test_text_arrives_as_it_was(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    data = HEADER + b"@@ -1,2 +1,2 @@\n " + raw + b"\n-" + raw + b"\n+" + raw + b"\n"
    assert [line.text for line in lines(data)] == [text] * 3


def test_blank_context_that_lost_its_space_is_context() -> None:
    data = HEADER + b"@@ -1,4 +1,4 @@\n a\n\n\r\n-b\n+c\n"
    assert [(line.kind, line.text) for line in lines(data)][1:3] == [
        ("context", ""),
        ("context", "\r"),
    ]


def test_a_diff_that_lost_its_last_newline_is_whole() -> None:
    data = HEADER + HUNK.removesuffix(b"\n")
    assert lines(data)[-1] == DiffLine("added", None, 2, "new")
    assert lines(HEADER + b"@@ -1,2 +1,2 @@\n-a\n+b\n ")[-1] == DiffLine("context", 2, 2, "")
    assert lines(HEADER + b"@@ -1,2 +1,2 @@\n-a\n+b\n\r")[-1] == DiffLine("context", 2, 2, "\r")


def test_crlf_of_the_transport_is_taken_off_and_crlf_of_the_file_is_kept() -> None:
    sent = (HEADER + b"@@ -1,3 +1,3 @@ f\n a\n \n-b\r\n+c\r\n").replace(b"\n", b"\r\n")
    assert [line.text for line in lines(sent)] == ["a", "", "b\r", "c\r"]
    assert one(sent).hunks[0].section == "f"
    stripped = sent.replace(b" \r\n", b"\r\n")
    assert [line.text for line in lines(stripped)] == ["a", "", "b\r", "c\r"]


def test_a_byte_order_mark_before_the_diff_is_passed_over() -> None:
    assert one(b"\xef\xbb\xbf" + HEADER + HUNK).path == "f"


# Names.


@pytest.mark.parametrize(
    ("pair", "minus", "plus", "path"),
    [
        (b"a/x y b/x y", b"a/x y\t", b"b/x y\t", "x y"),
        (b"before/x after/x", b"before/x", b"after/x", "x"),
        (b'"a/\\t\\"\\\\\\303\\251" "b/\\t\\"\\\\\\303\\251"', b'"a/\\t\\"\\\\\\303\\251"',
         b'"b/\\t\\"\\\\\\303\\251"', '\t"\\é'),
        (b"b/x a/x", b"b/x", b"a/x", "x"),
        (b"a/x a/x", b"a/x", b"a/x", "a/x"),
    ],
)  # fmt: skip
def test_names_come_without_quotes_and_prefixes(
    pair: bytes, minus: bytes, plus: bytes, path: str
) -> None:
    data = b"diff --git " + pair + b"\nindex 12..34\n--- " + minus + b"\n+++ " + plus + b"\n" + HUNK
    assert one(data).path == path


def test_prefixes_of_unlike_length_are_told_by_the_side_that_is_there() -> None:
    added = b"diff --git before/x y after/x y\nnew file mode 100644\nindex 00..12\n--- /dev/null\n"
    assert one(added + b"+++ after/x y\t\n@@ -0,0 +1 @@\n+a\n").path == "x y"
    gone = b"diff --git before/x y after/x y\ndeleted file mode 100644\nindex 12..00\n"
    assert one(gone + b"--- before/x y\t\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n").path == "x y"


def test_two_files_compared_without_a_repository_keep_both_names() -> None:
    file = one(
        b"diff --git a/x/f b/y/g\nindex 12..34 100644\nBinary files a/x/f and b/y/g differ\n"
    )
    assert (file.old_path, file.new_path, file.binary) == ("x/f", "y/g", True)


def test_a_rename_where_one_name_is_quoted() -> None:
    data = (
        b'diff --git a/plain b c "b/t\\tab"\nsimilarity index 100%\nrename from plain b c\n'
        b'rename to "t\\tab"\n'
    )
    file = one(data)
    assert (file.old_path, file.new_path) == ("plain b c", "t\tab")
    mode = b'diff --git a/x "b/x"\nold mode 100644\nnew mode 100755\n'
    assert one(mode).path == "x"


@pytest.mark.parametrize(
    "pair",
    [
        b'"a/x b/x', b'"a/x" "b/x', b'"a/\\q" "b/\\q"', b'"a/x""b/x"', b"old/x y newer/x y",
        b'x"', b"x y z",
    ],
)  # fmt: skip
def test_names_that_cannot_be_told_are_refused(pair: bytes) -> None:
    line, message = refusal(b"diff --git " + pair + b"\nold mode 100644\nnew mode 100755\n")
    assert line == 1
    assert "name" in message


def test_unknown_prefixes_are_refused_with_what_to_do() -> None:
    data = b"diff --git old-x newer-x\nindex 12..34\n--- old-x\n+++ newer-x\n" + HUNK
    assert refusal(data) == (
        1,
        "the file names have prefixes that are not known; "
        "make the diff with: git diff --src-prefix=a/ --dst-prefix=b/",
    )


@pytest.mark.parametrize(
    "data",
    [
        HEADER.replace(b"+++ b/f", b"+++ b/g") + HUNK,
        b"diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to z\n",
        b"diff --git a/x b/y\nrename from x\nrename to y\n--- a/z\n+++ b/y\n" + HUNK,
    ],
)
def test_names_that_contradict_each_other_are_refused(data: bytes) -> None:
    assert refusal(data) == (1, "the names in this file header contradict each other")


@pytest.mark.parametrize("field", [b'"a/f', b'"a/\\q"'])
def test_a_broken_quote_is_refused_at_its_line(field: bytes) -> None:
    line, message = refusal(HEADER.replace(b"--- a/f", b"--- " + field) + HUNK)
    assert line == 3
    assert "quoting" in message


# diff -u.


def test_hunks_may_share_context_as_git_diff_w_writes_them() -> None:
    data = HEADER + b"@@ -1,3 +1,4 @@\n+n\n a\n b\n c\n@@ -3,2 +4,3 @@\n c\n d\n+e\n"
    assert [(line.old_no, line.new_no) for line in lines(data)][3:5] == [(3, 4), (3, 4)]


# Around the files.


def test_mails_and_logs_of_several_commits_are_read() -> None:
    mail = b"From 1\nSubject: [PATCH] x\n\n- a point\n+ another\n---\n f | 2 +-\n\n"
    patch = HEADER + HUNK
    assert len(parse_diff((mail + patch + b"-- \n2.47.3\n\n") * 2)) == 2
    assert len(parse_diff((mail + patch + b"--\n2.47.3\n\n") * 2)) == 2
    log = b"commit 1\nAuthor: t\n\n    x\n\n"
    assert len(parse_diff(log + patch + b"\n" + log + patch)) == 2


def test_an_encoded_mail_is_refused() -> None:
    mail = b"From: t\nContent-Transfer-Encoding: quoted-printable\n\n"
    assert refusal(mail + HEADER + HUNK)[0] == 2
    assert len(parse_diff(b"From: t\nContent-Transfer-Encoding: 8bit\n\n" + HEADER + HUNK)) == 1


def test_utf_16_is_refused_with_what_to_do() -> None:
    data = (HEADER + HUNK).decode().encode("utf-16")
    assert refusal(data) == (
        1,
        "the diff is UTF-16, as PowerShell redirects write; "
        "make it with: git diff --output=FILE",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "status"),
    [
        (b"Submodule v/lib 1111111..2222222:\n  > one\n  < two\n", "modified"),
        (b"Submodule v/lib 1111111...2222222 (commits not present)\n", "modified"),
        (b"Submodule v/lib 0000000...2222222 (new submodule)\n", "added"),
        (b"Submodule v/lib 1111111...0000000 (submodule deleted)\n", "deleted"),
    ],
)
def test_a_submodule_summary_is_a_file_without_hunks(summary: bytes, status: str) -> None:
    submodule, file = parse_diff(summary + HEADER + HUNK)
    assert (submodule.path, submodule.status) == ("v/lib", status)
    assert {submodule.old_mode, submodule.new_mode} - {None} == {SUBMODULE}
    assert submodule.hunks == ()
    assert file.path == "f"


def test_a_file_that_became_a_link_is_one_change_of_type() -> None:
    gone = b"diff --git a/l b/l\ndeleted file mode 100644\nindex 12..00\n--- a/l\n+++ /dev/null\n"
    new = b"diff --git a/l b/l\nnew file mode 120000\nindex 00..34\n--- /dev/null\n+++ b/l\n"
    data = gone + b"@@ -1 +0,0 @@\n-x\n" + new + b"@@ -0,0 +1 @@\n+k\n\\ No newline\n"
    file = one(data)
    assert (file.status, file.old_path, file.new_path) == ("type-changed", "l", "l")
    assert (file.old_mode, file.new_mode, file.added, file.removed) == ("100644", "120000", 1, 1)
    same_kind = parse_diff(data.replace(b"120000", b"100755"))
    assert [file.status for file in same_kind] == ["deleted", "added"]


@pytest.mark.parametrize("data", [b"", b"\n", b" \n\n", b"\r\n"])
def test_nothing_is_no_files(data: bytes) -> None:
    assert parse_diff(data) == ()


# Refusals. The line is where it shows.


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"hello\nworld\n", 1, "there is no diff in this input"),
        (b"text\n" + HUNK, 2, "a hunk without the name of its file"),
        (b"diff --cc f\n", 1, "combined diff of a merge"),
        (b"* Unmerged path f\n" + HEADER + HUNK, 1, "unresolved conflicts"),
        (b"\x1b[1m\x1b[mdiff --git a/f b/f\x1b[m\n", 1, "colour codes"),
        (HEADER + b"\x1b[36m@@ -1 +1 @@\x1b[m\n", 5, "colour codes"),
        (HEADER + HUNK.replace(b"-old", b"\x1b[31m-old"), 7, "colour codes"),
        (HEADER + HUNK.replace(b"-1,2 +1,2", b"-1,3 +1,3"), 8, "lacks 1 line"),
        (HEADER + HUNK.replace(b"-1,2 +1,2", b"-1,9 +1,9"), 8, "lacks 7 lines"),
        (HEADER + HUNK.replace(b"-1,2 +1,2", b"-1,9 +1,9") + HEADER + HUNK, 9, "lacks 7 lines"),
        (HEADER + HUNK.replace(b"-1,2 +1,2", b"-1 +1,2"), 5, "do not add up"),
        (HEADER + HUNK + b" more\n", 9, "belongs to no hunk"),
        (HEADER + HUNK + b"+more\n" + HEADER + HUNK, 9, "belongs to no hunk"),
        (HEADER + HUNK + b"\n-more\n", 10, "belongs to no hunk"),
        (HEADER + HUNK + b"-- \n-more\n", 10, "belongs to no hunk"),
        (HEADER + HUNK + b"--", 9, "belongs to no hunk"),
        (HEADER + HUNK + b"diff --gi", 9, "cut off"),
        (HEADER + HUNK + b"\ntext\n--- a/g", 11, "cut off"),
        (HEADER + b"@@ -1,2 +1\n same\n", 5, "should be the header of a hunk"),
        (HEADER + b"@@ -0,1 +1 @@\n same\n", 5, "numbered from 1"),
        (HEADER + b"@@ -1,0 +1,0 @@\n", 5, "says that it has no lines"),
        (HEADER + HUNK + b"@@ -2 +9 @@\n-a\n+b\n", 9, "starts before the end of the one above"),
        (HEADER + HUNK + b"@@ -9 +2 @@\n-a\n+b\n", 9, "starts before the end of the one above"),
        (HEADER + HUNK + b"@@ -1,3 +1,3 @@\n a\n b\n c\n", 9, "before the end of the one above"),
        (HEADER + HUNK + b"@@ -2,2 +2,2 @@\n a\n b\n", 9, "before the end of the one above"),
        (HEADER + b"@@ -1,2 +1,2 @@\n-a\n+b\n c\n@@ -1,2 +1,2 @@\n a\n b\n", 9, "before the end"),
        (HEADER + b"@@ -5,2 +5,2 @@\n a\n b\n@@ -1,9 +1,9 @@\n" + b" a\n" * 9, 8, "before the end"),
        (HEADER + b"@@ -1,2 +1 @@\n-a\n\\ No\n-b\n+c\n", 7, "must follow the last line of a side"),
        (HEADER + b"@@ -1 +1 @@\n\\ No\n-b\n+c\n", 6, "a line of a hunk starts with"),
        (HEADER + b"@@ -1 +1 @@\n-b\n\\ No\n\\ No\n+c\n", 8, "must follow the last line of a side"),
        (HEADER + b"@@ -1 +1 @@\n-b\n+c\n\\ No\n\\ No\n", 9, "belongs to no hunk"),
        (HEADER + b"@@ -1,2 +1,2 @@\n a\n   b [-c-]{+d+}\n", 5, "word diff"),
        (HEADER, 4, "a file header without a hunk"),
        (HEADER + b"text\n", 5, "here the first hunk should start"),
        (HEADER.removesuffix(b"+++ b/f\n") + HUNK, 4, "there must be a line +++"),
        (b"diff --git a/f b/f\nindex 12..34\n" * 2, 3, "a file header without a change"),
        (b"diff --git a/f b/f\nold mode 100644\n", 2, "both old mode and new mode"),
        (b"diff --git a/f b/f\nnew file mode 1006\n", 2, "this line of a file header is broken"),
        (b"diff --git a/f b/f\nnew file mode 100644\n", 2, "its last file has no hunk"),
        (b"diff --git a/f b/f\nnew file mode 100644\nindex 0..12\n", 3, "last file has no hunk"),
        (b"diff --git a/f b/f\nindex 12..34\nBinary files a/f and", 3, "the line of a binary file"),
        (b"diff --git a/f b/f\nindex 12..34\nGIT binary patch\n", 3, "a binary patch should start"),
        (
            b"diff --git a/f b/f\nindex 12..34\nGIT binary patch\nliteral 1\nIcmZQz\n", 5,
            "cut off in a binary patch",
        ),
        (
            b"diff --git a/f b/f\nindex 12..34\nGIT binary patch\nliteral 1\n+a\n\n", 5,
            "cut off in a binary patch",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_whole_is_refused_at_its_line(
    data: bytes, line: int, words: str
) -> None:
    at, message = refusal(data)
    assert words in message
    assert at == line


def test_a_quoted_line_in_a_refusal_is_short_and_harmless() -> None:
    _, message = refusal(HEADER + HUNK + b"+\x1b[2J\xff" + b"x" * 1_000 + b"\n")
    assert message.isprintable()
    assert '"+' in message
    assert len(message) < 120


@pytest.mark.parametrize(
    "before",
    [
        HEADER + HUNK,
        HEADER,
        HEADER + HUNK.replace(b"-1,2 +1,2", b"-1,9 +1,9") + b"x",
        b"diff --git a/f b/f\nindex ",
        HEADER + b"@@ -1 ",
    ],
)
def test_a_refusal_shows_no_secret(before: bytes) -> None:
    secret = b"AKIA" + b"QWERTYUIOPASDFGH"
    _, message = refusal(before + b"+" + secret + b"\n" + HUNK)
    assert "QWERT" not in message


def test_a_hunk_of_context_alone_is_read() -> None:
    assert [line.kind for line in lines(HEADER + b"@@ -1,2 +1,2 @@\n a\n b\n")] == ["context"] * 2


def test_headers_that_say_why_they_have_no_hunk_are_whole() -> None:
    rest = HEADER + HUNK
    for header in (
        b"diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n",
        b"diff --git a/e b/e\ndeleted file mode 100644\nindex e69de29..0000000\n",
        b"diff --git a/e b/e\nold mode 100644\nnew mode 100755\n",
        b"diff --git a/d b/e\nrename from d\nrename to e\n",
        b"diff --git a/d b/e\nsimilarity index 100%\ncopy from d\ncopy to e\n",
    ):
        assert one(header).path == "e"
        assert len(parse_diff(header + rest)) == 2
    # git diff -w leaves out hunks, but the next file shows that nothing is missing.
    spaces = b"diff --git a/e b/e\nold mode 100644\nnew mode 100755\nindex 12..34\n"
    assert len(parse_diff(spaces + rest)) == 2


def test_a_deleted_file_under_prefixes_of_different_length_is_refused_with_what_to_do() -> None:
    data = (
        b"diff --git x y/f\ndeleted file mode 100644\nindex 1111111..0000000\n"
        b"--- x\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    with pytest.raises(DiffError, match="--src-prefix=a/"):
        parse_diff(data)
