"""Random trees, git in an environment of its own, and its diffs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.core.diff.parse import FileDiff


ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}


SUBMODULE = "160000"


@dataclass(frozen=True)
class Entry:
    mode: str
    content: bytes

    @property
    def text(self) -> bytes:
        """What git's diff takes for the content."""
        if self.mode == SUBMODULE:
            return b"Subproject commit " + self.content + b"\n"
        return self.content


Tree = dict[bytes, Entry]


awkward_parts = st.sampled_from(
    [
        b"a", b"b", b"x y", b" lead", b"trail ", b"tab\there", b"new\nline", b"cr\r", b'quo"te',
        b"back\\slash", b"caf\xc3\xa9", b"caf\xe9", b"\xff\xfe", b"-r", b"--", b"a b", b"x b",
        b"dev",
        b"null", b"f => g", b"{a,b}", b"[x]", b".x", b"..x", b"\x01", b"\x7f", b"i", b"w",
        b" and b",
        b"\xe2\x80\xa8", b"'", b"$(x)", b"line\x0bfeed\x0c", b"\\101",
    ]
)  # fmt: skip


# What a name cannot hold, or git refuses (".", "..", ".git"), becomes something else.
free_parts = st.binary(min_size=1, max_size=8).map(
    lambda part: part.translate(bytes.maketrans(b"\0/g", b"0|j")).replace(b".", b"_", 1)
)


parts = st.one_of(awkward_parts, awkward_parts, free_parts)


paths = st.lists(parts, min_size=1, max_size=3).map(b"/".join)


awkward_lines = st.sampled_from(
    [
        b"", b" ", b"\t", b"line", b"}", b"-- ", b"--- a/x", b"+++ b/x", b"@@ -1 +1 @@",
        b"@@ -1,3 +1,4 @@ def f():", b"diff --git a/x b/x", b"\\ No newline at end of file", b"+",
        b"-", b"index 123..456 100644", b"Binary files a/x and b/x differ", b"GIT binary patch",
        b"crlf\r", b"\r", b"lone\rcr", b"form\x0cfeed", b"vt\x0b", b"\x1c\x1d\x1e",
        b"\x1b[31mred\x1b[m",
        b"ls\xe2\x80\xa8ps\xe2\x80\xa9nel\xc2\x85", b"\xef\xbb\xbfbom", b"latin \xe9",
        b"\xed\xa0\x80",
        b"\xff\xfe\x80", b"{+x+}", b"rename from a", b"Submodule x 1234..5678:",
    ]
)  # fmt: skip


free_lines = st.binary(max_size=10).map(lambda line: line.replace(b"\n", b""))


contents = st.builds(
    lambda lines, end: b"\n".join(lines) + (b"\n" if end and lines else b""),
    st.lists(st.one_of(awkward_lines, awkward_lines, free_lines), max_size=14),
    st.booleans(),
)


texts = contents.map(lambda content: content.replace(b"\0", b""))


hashes = st.sampled_from([b"1" * 40, b"2" * 40])


entries = st.one_of(
    st.builds(Entry, st.sampled_from(["100644", "100644", "100755"]), texts),
    st.builds(Entry, st.just("100644"), contents),
    st.builds(Entry, st.just("120000"), parts),
    st.builds(Entry, st.just(SUBMODULE), hashes),
)


def without_conflicts(tree: Tree) -> Tree:
    """A path cannot be both file and folder."""
    folders = {path[:at] for path in tree for at in range(len(path)) if path[at : at + 1] == b"/"}
    return {path: entry for path, entry in tree.items() if path not in folders}


@st.composite
def edited(draw: st.DrawFn, old: Entry) -> Entry:
    """The same file with lines changed here and there, or another mode."""
    if old.mode == SUBMODULE:
        return Entry(SUBMODULE, draw(hashes))
    mode = draw(st.sampled_from([old.mode, old.mode, "100644", "100755", "120000"]))
    lines = old.content.split(b"\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        lines[at : at + draw(st.integers(0, 2))] = draw(st.lists(awkward_lines, max_size=3))
    content = b"\n".join(lines)
    return Entry(mode, content or b"target" if mode == "120000" else content)


@st.composite
def changes(draw: st.DrawFn) -> tuple[Tree, Tree]:
    old = without_conflicts(draw(st.dictionaries(paths, entries, max_size=5)))
    new: Tree = {}
    for path, entry in old.items():
        what = draw(st.sampled_from(["keep", "edit", "edit", "move", "copy", "drop", "replace"]))
        if what in ("keep", "copy"):
            new[path] = entry
        if what in ("move", "copy"):
            new[draw(paths)] = draw(edited(entry))
        elif what == "edit":
            new[path] = draw(edited(entry))
        elif what == "replace":
            new[path] = draw(entries)
    new |= draw(st.dictionaries(paths, entries, max_size=2))
    return old, without_conflicts(new)


PREFIXES = ["--src-prefix=i/ --dst-prefix=w/", "--src-prefix=old/ --dst-prefix=new/"]


options = st.tuples(
    st.sampled_from(["-U0", "-U1", "-U3", "-U3", "-U25", "-W"]),
    st.sampled_from(["-M", "-M", "-C -C", "--no-renames", "-B -M", "-M10%"]),
    st.sampled_from(["", "", "", "--no-prefix", *PREFIXES]),
    st.sampled_from(["", "", "--text", "--binary", "--full-index"]),
    st.sampled_from(["", "", "-R", "--inter-hunk-context=5", "--patience", "--abbrev=4"]),
).map(lambda chosen: " ".join(chosen).split())


def git(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(branch: str, tree: Tree) -> bytes:
    """The commands of git fast-import for a commit of ``tree``."""
    out = [
        b"commit refs/heads/" + branch.encode(),
        b"committer t <t@example.org> 1700000000 +0000",
        b"data 0",
        b"deleteall",
    ]
    for path, entry in tree.items():
        quoted = b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'
        if entry.mode == SUBMODULE:
            out.append(b"M 160000 " + entry.content + b" " + quoted)
        else:
            out.append(b"M " + entry.mode.encode() + b" inline " + quoted)
            out.append(b"data %d" % len(entry.content))
            out.append(entry.content)
    return b"\n".join(out) + b"\n"


def numbered(content: bytes) -> list[tuple[bytes, bool]]:
    """Each line and whether its newline is missing."""
    if not content:
        return []
    lines = content.split(b"\n")
    if not lines[-1]:
        return [(line, False) for line in lines[:-1]]
    return [(line, at == len(lines) - 1) for at, line in enumerate(lines)]


def assert_lines_are_the_blobs(file: FileDiff, old: Tree, new: Tree) -> None:
    """Every line stands in the blob at its number; what is between the hunks is unchanged."""
    before = numbered(old[os.fsencode(file.old_path)].text) if file.old_path is not None else []
    after = numbered(new[os.fsencode(file.new_path)].text) if file.new_path is not None else []
    rebuilt: list[tuple[bytes, bool]] = []
    done = 0
    for hunk in file.hunks:
        first = hunk.old_start - (hunk.old_count > 0)
        rebuilt += before[done:first]
        del rebuilt[len(rebuilt) - max(done - first, 0) :]  # -W can repeat lines of context
        done = first
        for line in hunk.lines:
            text = (line.text.encode("utf-8", "surrogateescape"), line.no_newline)
            if line.kind != "added":
                assert line.old_no == done + 1
                assert text == before[done]
                done += 1
            if line.kind != "removed":
                rebuilt.append(text)
                assert line.new_no == len(rebuilt)
        assert len(hunk.lines) == hunk.old_count + hunk.added
        assert hunk.slice(1, 3) == hunk.lines[1:3]
    if file.status == "type-changed":
        assert (file.removed, file.added) == (len(before), len(after))
    else:
        assert rebuilt + before[done:] == after
