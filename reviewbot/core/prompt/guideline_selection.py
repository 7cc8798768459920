"""Select the rules of a team that go into a prompt, from the guideline files of a repository. Pure.

Files that serve agents mix rules with set-up and commands, and a prompt has little room. So the
selection takes units by tier (:mod:`~reviewbot.core.prompt.guideline_tiers`), and within a tier
those of the nearest folder first. Secrets in the selected text are replaced.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.policy import path_patterns
from reviewbot.core.prompt.guideline_tiers import tier_of
from reviewbot.core.prompt.guideline_units import front_matter, units_of
from reviewbot.core.prompt.guidelines import GuidelineFile, Guidelines, SelectedRule
from reviewbot.core.safety.redact import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reviewbot.core.prompt.guideline_units import Unit

BUDGET: Final = 4_000
"""Maximum characters of all rules in a prompt."""
DEEPEST: Final = 1_200
"""Characters that are kept for the deepest folder with a file."""
LAST_RESORT: Final = 1_000
"""Maximum characters of rules from ``CONTRIBUTING.md``, whose lines are rarely rules."""
FOR_REVIEWS: Final = ("REVIEW.md", "BUGBOT.md")
"""Names of files that are for reviewers as a whole."""
WITH_GLOBS: Final = (".instructions.md", ".mdc")
"""Endings of files whose front matter says where they apply."""
_MOST_GLOBS: Final = 100
_LAST_TIER: Final = 3
_HEADINGS: Final = 20
"""Maximum number of headings that a file reports as dropped."""


@dataclass(frozen=True, slots=True)
class GuidelineText:
    """The text of a guideline file.

    Attributes:
        path: path of the file that has the text, after links.
        text: the text.
        folder: folder that it applies to, with a slash at its end; empty for the repository.
        globs: patterns of the paths that it applies to; empty for all paths of the folder.
    """

    path: str
    text: str
    folder: str = ""
    globs: tuple[str, ...] = ()


def applicable(file: GuidelineText, changed: Iterable[str]) -> GuidelineText | None:
    """Return a file with the globs of its front matter; None if no changed path matches.

    Args:
        file: the file, without globs.
        changed: changed paths below its folder.
    """
    if not file.path.endswith(WITH_GLOBS):
        return file
    values = front_matter(file.text)
    if values.get("alwaysapply") == ("true",):
        return file
    globs = values.get("applyto") or values.get("globs") or ()
    if "code-review" in values.get("excludeagent", ()):
        return None
    try:
        matches = path_patterns([*chain.from_iterable(map(_expanded, globs))][:_MOST_GLOBS])
    except ValueError:  # an invalid glob matches nothing
        return None
    if not any(matches(path) for path in changed):
        return None
    return GuidelineText(file.path, file.text, file.folder, globs)


def _expanded(glob: str) -> Iterator[str]:
    """Yield the patterns of a glob with alternatives in braces, such as ``*.{ts,tsx}``."""
    waiting = [glob]
    for _ in range(_MOST_GLOBS):
        if not waiting:
            return
        before, brace, rest = waiting.pop().partition("{")
        inside, end, after = rest.partition("}")
        if brace and end:
            waiting += [f"{before}{one}{after}" for one in reversed(inside.split(","))]
        else:
            yield before + brace + rest


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A unit of a file that looks like a rule. Smaller keys are better."""

    file: int
    unit: Unit
    key: tuple[int, int, int]

    @property
    def heading(self) -> str:
        return next(iter(self.unit.headings), "")


@dataclass(slots=True)
class _Room:
    """The room that is left, and the groups whose heading has its room already."""

    left: int
    groups: set[tuple[int, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    taken: list[_Candidate] = field(default_factory=list)

    def take(self, candidates: Iterable[_Candidate], limit: int) -> None:
        """Take what fits, within ``limit`` characters. Equal texts are taken once."""
        for one in candidates:
            group = (one.file, one.heading)
            size = len(one.unit.text) + 1
            size += len(one.heading) + 3 if one.heading and group not in self.groups else 0
            key = " ".join(one.unit.text.casefold().split())
            if key in self.texts or size > min(self.left, limit):
                continue
            self.texts.add(key)
            self.groups.add(group)
            self.taken.append(one)
            self.left -= size
            limit -= size


def select(
    files: Sequence[GuidelineText],
    *,
    commit: str,
    budget: int = BUDGET,
    last_resort: bool = False,
    problems: Sequence[str] = (),
) -> Guidelines:
    """Select rules from files.

    Args:
        files: the files that apply.
        commit: the commit of the files.
        budget: maximum number of characters.
        last_resort: whether the only file is ``CONTRIBUTING.md``.
        problems: sentences about files that were not read.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    files = [replace(file, text=redact_text(file.text, file.path)) for file in _once(files)]
    files.sort(key=lambda file: (-_depth(file.folder), file.path))
    units = [units_of(file.text) for file in files]
    found = sorted(
        chain.from_iterable(
            _candidates(number, file, units[number], last_resort=last_resort)
            for number, file in enumerate(files)
        ),
        key=lambda one: one.key,
    )
    room = _Room(min(budget, LAST_RESORT) if last_resort else budget)
    deepest = files[0].folder if files else ""
    if deepest:
        room.take((one for one in found if files[one.file].folder == deepest), DEEPEST)
    room.take(found, budget)  # equal texts are taken once, so none is taken again
    return Guidelines(
        commit=commit,
        files=tuple(
            _file(
                file,
                units[number],
                [one for one in found if one.file == number],
                [one for one in room.taken if one.file == number],
            )
            for number, file in enumerate(files)
        ),
        problems=tuple(problems),
    )


def _once(files: Iterable[GuidelineText]) -> Iterator[GuidelineText]:
    """Yield each text once, for its widest folder: a file is often linked under several names."""
    by_text: defaultdict[str, list[GuidelineText]] = defaultdict(list)
    for file in files:
        by_text[file.text].append(file)
    for same in by_text.values():
        yield min(same, key=lambda file: (_depth(file.folder), bool(file.globs)))


def _depth(folder: str) -> int:
    return folder.count("/")


def _candidates(
    number: int, file: GuidelineText, units: Sequence[Unit], *, last_resort: bool
) -> Iterator[_Candidate]:
    for_reviews = file.path.rpartition("/")[2] in FOR_REVIEWS
    for unit in units:
        tier = tier_of(unit, for_reviews=for_reviews)
        if tier is not None and not (last_resort and tier > _LAST_TIER):
            yield _Candidate(number, unit, (tier, number, unit.line))


def _file(
    file: GuidelineText,
    units: Sequence[Unit],
    found: Sequence[_Candidate],
    taken: Sequence[_Candidate],
) -> GuidelineFile:
    ordered = sorted(taken, key=lambda one: one.unit.line)
    kept = {one.heading for one in ordered}
    headings = dict.fromkeys(next(iter(unit.headings), "") for unit in units)
    dropped = [one for one in headings if one and one not in kept][:_HEADINGS]
    texts = [text for one in ordered for text in (one.heading, one.unit.text)]
    # Once more, since a unit joins lines, and its heading comes without those above it.
    shown = redact_text("\n".join([*texts, *dropped])).split("\n")
    return GuidelineFile(
        path=file.path,
        scope=" ".join(file.globs) or (f"{file.folder}**" if file.folder else ""),
        rules=tuple(
            SelectedRule(one.unit.line, heading, text)
            for one, heading, text in zip(ordered, shown[::2], shown[1::2], strict=False)
        ),
        total=len(found),
        dropped=tuple(shown[len(texts) :]) if dropped else (),
    )
