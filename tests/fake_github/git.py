"""A git object store: trees of bytes with their real names, and diffs by the real git."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

FILE, EXECUTABLE, SYMLINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "40000"


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a tree: its bytes, and a mode for what is no plain file."""

    data: bytes
    mode: str = FILE


Content: TypeAlias = bytes | str | Blob | None
Files: TypeAlias = Mapping[str, Content]
"""Paths to contents; text is UTF-8, None deletes."""


def as_blob(content: bytes | str | Blob) -> Blob:
    if isinstance(content, Blob):
        return content
    return Blob(content.encode() if isinstance(content, str) else content)


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str
    author: str
    at: float


_DIFFS: Final[dict[tuple[str, ...], bytes]] = {}
"""Diffs of trees, flags and paths, shared by all stores of the process: each is a start of git."""


class GitStore:
    """Objects in memory, written to ``folder`` as git has them when a diff is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects: dict[str, tuple[str, bytes]] = {}
        self.commits: dict[str, Commit] = {}
        self._unsaved: list[str] = []

    def put(self, kind: str, data: bytes) -> str:
        whole = f"{kind} {len(data)}\0".encode() + data
        sha = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        if sha not in self.objects:
            self.objects[sha] = (kind, data)
            self._unsaved.append(sha)
        return sha

    def tree(self, files: Mapping[str, Blob]) -> str:
        """The tree of all ``files``, with its folders."""
        entries: dict[str, tuple[str, str]] = {}
        folders: dict[str, dict[str, Blob]] = {}
        for path, blob in files.items():
            head, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(head, {})[rest] = blob
            elif blob.mode == SUBMODULE:
                entries[head] = (blob.mode, blob.data.decode())
            else:
                entries[head] = (blob.mode, self.put("blob", blob.data))
        entries |= {name: (FOLDER, self.tree(inner)) for name, inner in folders.items()}

        def order(item: tuple[str, tuple[str, str]]) -> bytes:
            return os.fsencode(item[0]) + (b"/" if item[1][0] == FOLDER else b"")

        return self.put(
            "tree",
            b"".join(
                mode.encode() + b" " + os.fsencode(name) + b"\0" + bytes.fromhex(sha)
                for name, (mode, sha) in sorted(entries.items(), key=order)
            ),
        )

    def commit(
        self, files: Mapping[str, Blob], parents: tuple[str, ...], message: str, by: str, at: float
    ) -> str:
        """A commit of exactly these files."""
        tree = self.tree(files)
        who = f"{by} <{by}@users.noreply.github.com> {int(at)} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        text = "\n".join([*lines, f"author {who}", f"committer {who}", "", message])
        sha = self.put("commit", text.encode())
        self.commits[sha] = Commit(sha, tree, parents, message, by, at)
        return sha

    def entries(self, tree: str) -> Iterator[tuple[str, str, str]]:
        """(mode, name, sha) of each entry of a tree."""
        data, at = self.objects[tree][1], 0
        while at < len(data):
            end = data.index(b"\0", at)
            mode, _, name = data[at:end].partition(b" ")
            yield mode.decode(), os.fsdecode(name), data[end + 1 : end + 21].hex()
            at = end + 21

    def walk(self, tree: str, under: str = "") -> Iterator[tuple[str, str, str]]:
        """(mode, path, sha) of everything below a tree, folders before what they hold."""
        for mode, name, sha in self.entries(tree):
            yield mode, under + name, sha
            if mode == FOLDER:
                yield from self.walk(sha, f"{under}{name}/")

    def files(self, commit: str) -> dict[str, Blob]:
        """All files of a commit."""
        return {
            path: Blob(sha.encode() if mode == SUBMODULE else self.objects[sha][1], mode)
            for mode, path, sha in self.walk(self.commits[commit].tree)
            if mode != FOLDER
        }

    def find(self, commit: str, path: str) -> tuple[str, str] | None:
        """(mode, sha) of what is at ``path``; the root for an empty one."""
        mode, sha = FOLDER, self.commits[commit].tree
        for part in path.split("/") if path else ():
            if mode != FOLDER:
                return None
            below = {name: (kind, inner) for kind, name, inner in self.entries(sha)}
            if part not in below:
                return None
            mode, sha = below[part]
        return mode, sha

    def ancestors(self, commit: str) -> list[str]:
        """``commit`` and all before it, the newest first."""
        order = {sha: number for number, sha in enumerate(self.commits)}
        found, waiting = {commit}, [commit]
        while waiting:
            new = set(self.commits[waiting.pop()].parents) - found
            found |= new
            waiting.extend(new)
        return sorted(found, key=lambda sha: -order[sha])

    def merge_base(self, one: str, other: str) -> str | None:
        shared = set(self.ancestors(one))
        return next((sha for sha in self.ancestors(other) if sha in shared), None)

    def diff(self, old: str, new: str, *flags: str, path: str | None = None) -> bytes:
        """``git diff`` of two commits or trees, with renames, as git writes it by default."""
        paths = ["--", path] if path is not None else []
        trees = [self.commits[one].tree if one in self.commits else one for one in (old, new)]
        key = (*trees, *flags, *paths)
        if key not in _DIFFS:
            self.save()
            command = ["git", "--literal-pathspecs", "--git-dir", str(self.folder), "diff"]
            quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
            done = subprocess.run(
                [
                    *command,
                    "--find-renames",
                    "--no-ext-diff",
                    "--no-color",
                    *flags,
                    *trees,
                    *paths,
                ],
                capture_output=True,
                check=True,
                env=os.environ | quiet,
            )
            if len(_DIFFS) > 1000:  # random stories make ever new ones
                _DIFFS.clear()
            _DIFFS[key] = done.stdout
        return _DIFFS[key]

    def save(self) -> None:
        """Write all objects to the folder, in which git finds them."""
        if not (self.folder / "HEAD").exists():
            for name in ("objects", "refs"):
                (self.folder / name).mkdir(parents=True)
            (self.folder / "HEAD").write_text("ref: refs/heads/main\n")
        for sha in self._unsaved:
            kind, data = self.objects[sha]
            path = self.folder / "objects" / sha[:2] / sha[2:]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(f"{kind} {len(data)}\0".encode() + data, 1))
        self._unsaved.clear()
