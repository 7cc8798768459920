"""Permanent addresses of lines on GitHub, which stay valid when branches move. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.finding import Finding, Guideline, RestsOn

# GitHub renders these as pages or tables, which have no line anchors unless the source is shown.
_RENDERED: Final = (".md", ".markdown", ".mdx", ".rst", ".adoc", ".org", ".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class Permalinks:
    """Addresses in one repository, at the two commits of a diff.

    Args:
        repository: page of the repository, ``https://HOST/OWNER/REPO``.
        head: the commit that was reviewed.
        base: the commit that the diff starts from, the merge base; None if it is not known, then
            nothing leads to lines of the old side.
        rules: the commit of the team's rules, if any.
    """

    repository: str
    head: str
    base: str | None = None
    rules: str | None = None

    def blob(self, commit: str, path: str, lines: tuple[int, int] | None = None) -> str | None:
        """Return the address of a file at a commit, with lines; None if the path is not encodable.

        ``commit`` is a full hash. Bytes of ``path`` that are not UTF-8 are lone surrogates.
        ``lines`` are the first and the last one, from 1.
        """
        try:
            name = quote(path.encode("utf-8", "surrogateescape"), safe="/")
        except UnicodeEncodeError:  # a surrogate that does not encode a byte: not from a diff
            return None
        address = f"{self.repository}/blob/{commit}/{name}"
        if lines is None or lines[0] < 1:
            return address
        first, last = lines
        plain = "?plain=1" if name.lower().endswith(_RENDERED) else ""
        return f"{address}{plain}#L{first}" + (f"-L{last}" if last > first else "")

    def commit(self) -> str:
        """Return the commit that was reviewed."""
        return f"{self.repository}/commit/{self.head}"

    def of(self, finding: Finding, file: FileDiff | None) -> str | None:
        """Return the address of the code of ``finding``; None if the address is unknown.

        The address names lines only if the finding was anchored to them. Lines that a model merely
        claimed are left out.

        ``file`` is None if the diff lacks the file of the finding.
        """
        if file is None:
            return None
        lines = (finding.line, finding.end_line) if finding.is_placed else None
        if lines and finding.side == "LEFT":
            if self.base is None or file.old_path is None:
                return None
            return self.blob(self.base, file.old_path, lines)
        return None if file.new_path is None else self.blob(self.head, file.new_path, lines)

    def of_guideline(self, guideline: Guideline | None) -> str | None:
        """Return the address of a rule of the team; None without a rule or its commit."""
        if guideline is None or self.rules is None:
            return None
        return self.blob(self.rules, guideline.path, (guideline.line, guideline.line))

    def of_rests_on(self, place: RestsOn) -> str | None:
        """Return the address of code that a finding rests on; None if its commit is not known."""
        commit = self.base if place.base else self.head
        return commit and self.blob(commit, place.path, (place.line, place.end_line))


def is_utf8(path: str) -> bool:
    """Return whether a path is valid UTF-8, as GitHub's API requires."""
    return path.isascii() or not any("\ud800" <= character <= "\udfff" for character in path)
