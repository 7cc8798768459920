"""Policy for the files that no model reviews, with a sentence as the reason. Pure.

Files without anything to review, and those that the configuration excludes, are skipped. So are
vendored, generated and minified files and lock files, which are not worth a review. The author of a
change must not choose what is read, so a mark (:mod:`reviewbot.core.plan.marks`) counts fully only
if the base has it:

- The configuration and ``.gitattributes`` come from the base, never from the diff.
- A name counts if the old path has it, and a header if it is on a line of the old side. The diff
  alone decides; nothing more is read.
- Without that, a file that existed before is reviewed as usual. A new file is left unread: the
  review lists it and is never clean.
- A lock file is skipped if its added lines have the shape of its format, and left unread otherwise.
- The wrapper of a build tool, such as ``gradlew``, is left unread: an edit of it is never skipped.

Every file is listed with its reason, and a ``!pattern`` includes a file again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reviewbot.core.diff.parse import SUBMODULE
from reviewbot.core.plan.globs import read_pattern
from reviewbot.core.plan.languages import language_of
from reviewbot.core.plan.lockfiles import has_shape_of_lock_file, is_lock_file
from reviewbot.core.plan.marks import (
    generated_name,
    has_generated_header,
    is_build_wrapper,
    minified_average,
    vendored_directory,
    was_minified,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reviewbot.core.diff.parse import FileDiff, FileStatus
    from reviewbot.core.plan.globs import PathPattern


EXCLUDED = "Excluded by the configuration."
"""Reason for files that the configuration excludes."""

_HIDDEN = "Binary for git, although its name is that of source code: check it yourself."
_LOCK_FILE = "Lockfile: a package manager writes it."
_WRAPPER = "Build wrapper: a tool writes it, but each build runs it."
_NAMED = ": .gitattributes says so."
_UNREAD = {
    _LOCK_FILE: "Lockfile with lines that its format does not have.",
    _WRAPPER: _WRAPPER,
}
"""Marks for which an old file is left unread as well, with the reason."""

MAX_PATH = 4096
"""Maximum bytes of a path: Linux's PATH_MAX. A longer path cannot be checked out, and would fill
the prompt."""

_SUBPROJECT = re.compile(rb"Subproject commit [0-9a-f]{40,64}(?:-dirty)?\r?")
_ATTRIBUTE_PATTERN = re.compile(r'"((?:[^"\\]|\\.)*)"(.*)|(\S+)(.*)')
MAX_ATTRIBUTE_LINE = 2048
"""Bytes from which git ignores a line of ``.gitattributes``. So patterns stay short."""

_VALUES = {"true": True, "false": False}


class Exclusion(NamedTuple):
    """The reason for which no model reviews a file, as a sentence.

    A skipped file does not change the outcome of a review. An unread file does: the review is never
    clean.
    """

    reason: str
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes of one path in ``.gitattributes``; None for unset attributes."""

    generated: bool | None = None
    vendored: bool | None = None


def _unmentioned(path: str) -> None:  # noqa: ARG001 - the shape of Policy.configured
    return None


def _no_attributes(path: str) -> Attributes:  # noqa: ARG001 - the shape of Policy.attributes
    return Attributes()


@dataclass(frozen=True, slots=True)
class Policy:
    """Policy of a repository.

    ``configured`` returns True for a path that the configuration excludes, False for a path that a
    ``!pattern`` includes, and None for other paths.
    """

    configured: Callable[[str], bool | None] = _unmentioned
    attributes: Callable[[str], Attributes] = _no_attributes


def path_patterns(patterns: Iterable[str]) -> Callable[[str], bool | None]:
    """Return gitignore patterns as a :attr:`Policy.configured`; the last matching pattern decides.

    A match of the path itself has precedence over a match of its directory only. So, unlike in git,
    a ``!pattern`` includes a file of an excluded directory.

    Raises:
        ValueError: git would reject a pattern.
    """
    known = [pattern for glob in patterns if (pattern := read_pattern(glob)) is not None]
    if not known:
        return _unmentioned
    known.reverse()

    def decide(path: str) -> bool | None:
        path = path.removeprefix("/") if path.startswith("/") else path.removeprefix("./")
        of_directory = None
        for pattern in known:
            match pattern.match(path):
                case "path":
                    return not pattern.negated
                case "directory" if of_directory is None:
                    of_directory = not pattern.negated
        return of_directory

    return decide


def git_attributes(text: str) -> Callable[[str], Attributes]:
    """Return ``linguist-generated`` and ``linguist-vendored`` of a ``.gitattributes`` file.

    Args:
        text: the file at the root of the base. Invalid patterns are ignored, as in git. See
            https://git-scm.com/docs/gitattributes.
    """
    rules = [rule for line in text.splitlines() if (rule := _attribute_rule(line))]
    if not rules:
        return _no_attributes

    def look_up(path: str) -> Attributes:
        found: dict[str, bool | None] = {}
        for pattern, attributes in rules:
            # Unlike in .gitignore, an attribute of a directory does not apply to the files in it.
            if pattern.match(path) == "path":
                found |= attributes
        return Attributes(found.get("linguist-generated"), found.get("linguist-vendored"))

    return look_up


def _attribute_rule(line: str) -> tuple[PathPattern, dict[str, bool | None]] | None:
    if (
        "linguist-" not in line
        or len(line.encode("utf-8", "surrogateescape")) >= MAX_ATTRIBUTE_LINE
    ):
        return None
    # One match: it takes the rest of the line, which is not blank.
    ((quoted, quoted_rest, plain, rest),) = _ATTRIBUTE_PATTERN.findall(line.strip())
    glob = plain or re.sub(r"\\(.)", r"\1", quoted)
    attributes = dict(map(_attribute, (quoted_rest or rest or "").split()))
    if glob.startswith(("#", "!", "[attr]")):
        return None
    try:
        pattern = read_pattern(glob)
    except ValueError:
        return None
    return None if pattern is None else (pattern, attributes)


def _attribute(word: str) -> tuple[str, bool | None]:
    name, equals, value = word.partition("=")
    if equals:
        return name, _VALUES.get(value)
    if name.startswith("-"):
        return name[1:], False
    if name.startswith("!"):
        return name[1:], None
    return name, True


def exclusions(files: Iterable[FileDiff], policy: Policy) -> Iterator[Exclusion | None]:
    """Yield why no model reviews each file of a diff, or None.

    A diff of several commits can have a file several times. Only the first time the diff shows the
    file of the base, so later ones count as new.
    """
    written: set[str] = set()
    for file in files:
        yield exclusion(file, policy, is_new=file.old_path in written)
        written.add(file.path)


def exclusion(file: FileDiff, policy: Policy, *, is_new: bool = False) -> Exclusion | None:
    """Return why no model reviews ``file``; None to review the file.

    ``is_new`` is True if the base has no such file, although the diff has an old side.

    A ``!pattern`` of the configuration overrides decisions by path or content. It cannot include
    files with nothing to review. Symbolic links are reviewed: the target is only one line, and a
    link to outside the repository deserves a finding.
    """
    if reason := _nothing_to_review(file):
        return Exclusion(reason)
    configured = policy.configured(file.path)
    if configured:
        return Exclusion(EXCLUDED)
    # A copy is a new file, whatever it is a copy of.
    is_new = is_new or file.status in ("added", "copied")
    marks = [] if configured is False else list(_marks(file, policy, is_new=is_new))
    counting = next((mark for mark in marks if mark.counts), None)
    if counting is not None:
        return Exclusion(counting.reason)
    if file.binary:
        return Exclusion(_HIDDEN, is_unread=True)
    return next((mark.as_unread() for mark in marks if is_new or mark.reason in _UNREAD), None)


class _Mark(NamedTuple):
    """A mark of a file, as a sentence. ``counts`` is True if the file is skipped for it."""

    reason: str
    counts: bool

    def as_unread(self) -> Exclusion:
        """Return the exclusion of a file without a mark that counts."""
        new = f"New, and {self.reason[0].lower()}{self.reason[1:]}"
        return Exclusion(_UNREAD.get(self.reason, new), is_unread=True)


def _marks(file: FileDiff, policy: Policy, *, is_new: bool) -> Iterator[_Mark]:
    """Yield the marks of a file that has something to review."""
    old = None if is_new else file.old_path
    attributes = policy.attributes(file.path)
    if is_lock_file(file.path):
        yield _Mark(_LOCK_FILE, has_shape_of_lock_file(file))
    if attributes.generated is None and all(map(is_build_wrapper, (file.path, old or file.path))):
        yield _Mark(_WRAPPER, counts=False)
    for mark_of in (_vendored, _generated):
        if (reason := mark_of(file.path, attributes)) is not None:
            was_marked = old is not None and mark_of(old, policy.attributes(old)) is not None
            yield _Mark(reason, was_marked or reason.endswith(_NAMED))
    if not file.hunks:
        return
    if (average := minified_average(file)) is not None:
        yield _Mark(
            f"Minified: {average} bytes a line on average.", not is_new and was_minified(file)
        )
    if attributes.generated is None and has_generated_header(file, "new"):
        yield _Mark(
            "Generated: its header says so.", not is_new and has_generated_header(file, "old")
        )


def _vendored(path: str, attributes: Attributes) -> str | None:
    if attributes.vendored is not None:
        return f"Vendored{_NAMED}" if attributes.vendored else None
    directory = vendored_directory(path)
    return directory and f"Vendored: third-party code, in {directory}/."


def _generated(path: str, attributes: Attributes) -> str | None:
    if attributes.generated is not None:
        return f"Generated{_NAMED}" if attributes.generated else None
    return generated_name(path)


def _nothing_to_review(file: FileDiff) -> str | None:
    if (file.new_mode or file.old_mode) == SUBMODULE and _names_commits_only(file):
        return "Submodule: only the commit it points to changed."
    # A deletion breaks code that still uses the file, which its own lines cannot show;
    # the manifest names it to the model.
    if file.binary and (file.status == "deleted" or language_of(file.path) is None):
        return "Binary file: there is no text to review."
    if file.status == "deleted":
        return "Deleted: there is nothing new to review."
    if len(file.path.encode("utf-8", "surrogateescape")) > MAX_PATH:
        return f"Its path is longer than {MAX_PATH} bytes, which no system can check out."
    return None if file.hunks or file.binary else _unchanged(file.status)


def _names_commits_only(file: FileDiff) -> bool:
    """Return whether each line can be one of a submodule, as a header may claim any mode."""
    return all(_SUBPROJECT.fullmatch(raw) for hunk in file.hunks for _, raw in hunk.iter_raw())


def _unchanged(status: FileStatus) -> str:
    if status == "added":
        return "Empty file: there is nothing to review."
    if status in ("renamed", "copied"):
        return f"Only {status}: its content did not change."
    return "Only its mode changed, not its content."
