"""Lives of pull requests: an author who fixes what is reported, and a model that goes on reporting.

Everything follows from a seed. Each line of code is unique, so a line is known by its text.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from reviewbot.core.findings.finding import CATEGORIES
from tests.support.github_pushes import reported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.findings.finding import Category, Finding, Severity
    from reviewbot.github.state.matching import Reread
    from tests.support.github_pushes import Tree

Kind = Literal["finds more", "repeats", "contradicts", "raises alarms", "plants"]
"""What goes wrong in a life.

``finds more``: the model finds something new in the newest fix. ``repeats``: the author leaves the
code, and the model reports it again in other words. ``contradicts``: the model wants each fix
reverted. ``raises alarms``: it finds more, and all are errors. ``plants``: fixes bring real faults.
"""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
PATHS: Final = ("app.py", "store.py", "web.py")
LENGTH: Final = 150
"""Lines of each file of the base."""
_NOUNS: Final = (
    *("buffer", "cursor", "ledger", "socket", "thread", "widget", "bucket", "branch", "header"),
    *("packet", "window", "signal", "record", "handle", "stream", "tensor", "matrix", "folder"),
    *("parser", "memory", "update", "schema", "column", "client", "server", "gather", "device"),
)


@dataclass
class Life:
    """A pull request with its author and its model.

    Attributes:
        seed: number that decides everything.
        kind: what goes wrong.
        base: the files that it begins at.
        head: the files of the newest push.
        newest: path and text of the lines that the newest push changed.
        planted: severity of each real fault, by the text of its line.
        noticed: texts of real faults that the model has reported.
    """

    seed: int
    kind: Kind
    base: Tree = field(default_factory=dict)
    head: Tree = field(default_factory=dict)
    newest: list[tuple[str, str]] = field(default_factory=list)
    planted: dict[str, Severity] = field(default_factory=dict)
    noticed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable
        self._number = 0
        self._twins: dict[str, str] = {}
        self._repeated: list[tuple[str, str]] = []
        self.base = {path: [self._line() for _ in range(LENGTH)] for path in PATHS}
        self.head = {path: lines[:] for path, lines in self.base.items()}

    # --- The author

    def open_pull(self) -> None:
        """Push the first change: some places in some files, and perhaps a new file."""
        self.newest = []
        for _ in range(self._random.randint(3, 6)):
            self._change_elsewhere()
        if self._chance(0.3):
            self.head["new.py"] = [self._line() for _ in range(20)]
            self.newest += [("new.py", text) for text in self.head["new.py"]]

    def push(self, places: Iterable[tuple[str, str]]) -> None:
        """Push fixes of open findings, and now and then other new code.

        ``places`` has path and line of each open finding.
        """
        self.newest = []
        for path, text in places:
            lines = self.head.get(path, [])
            if text not in lines:
                continue
            if self.kind == "repeats":
                self._edit_next_line(path, lines.index(text))
            elif text not in self.planted or self._chance(0.5):
                self._fix(path, lines.index(text))
        if not self.newest or self._chance(0.15):
            self._change_elsewhere()

    def _fix(self, path: str, at: int) -> None:
        old = self.head[path][at]
        self.planted.pop(old, None)
        if self.kind == "contradicts":
            fixed = [self._twins.setdefault(old, self._line())]
            self._twins[fixed[0]] = old
        else:
            fixed = [self._line() for _ in range(self._random.randint(1, 2))]
        self.head[path][at : at + 1] = fixed
        self.newest += [(path, text) for text in fixed]
        if self.kind == "plants" and self._chance(0.6):
            self._plant(path, at)

    def _plant(self, path: str, at: int) -> None:
        """Plant a fault in the fix, near it, or somewhere else."""
        severity: Severity = self._random.choice(("error", "warning"))
        text = self._line()
        self.planted[text] = severity
        if self._chance(0.3):
            path = self._random.choice(PATHS)
            at = self._random.randrange(len(self.head[path]))
        else:
            at = max(0, min(len(self.head[path]), at + self._random.randint(0, 12)))
        self.head[path].insert(at, text)
        self.newest.append((path, text))

    def _edit_next_line(self, path: str, at: int) -> None:
        text = self._line()
        self.head[path][at + 1 : at + 2] = [text]
        self.newest.append((path, text))

    def _change_elsewhere(self) -> None:
        path = self._random.choice(PATHS)
        at = self._random.randrange(len(self.head[path]) - 3)
        texts = [self._line() for _ in range(self._random.randint(2, 4))]
        self.head[path][at : at + 2] = texts
        self.newest += [(path, text) for text in texts]

    # --- The model

    def reads_all(self) -> bool:
        """Return whether the model reads the whole change again, as with another configuration."""
        return self._chance(0.1)

    def findings(self, is_read: Reread) -> list[Finding]:
        """Return what the model reports of the lines that it reads."""
        places = [(path, text) for path, text in self.newest if self._is_read(path, text, is_read)]
        found: dict[tuple[str, str], Finding] = {}
        chosen = self._random.sample(places, min(len(places), 3))
        severities: list[Severity] = ["warning", "note"]
        if self._chance(0.3):
            severities.insert(0, "warning")
        if self.kind == "repeats":
            near = [(path, self._near(path, text)) for path, text in self._repeated]
            again = [place for place in near if self._is_read(*place, is_read)]
            chosen = again or chosen[: len(severities)]
            self._repeated = self._repeated or chosen
        for (path, text), severity in zip(chosen, severities, strict=False):
            if text not in self.planted:
                alarm = self.kind == "raises alarms"
                found[path, text] = self._finding(path, text, "error" if alarm else severity)
        for path, lines in self.head.items():
            for text in lines:
                is_seen = text in self.planted and self._is_read(path, text, is_read)
                if is_seen and self._chance(0.8):
                    self.noticed.add(text)
                    found[path, text] = self._finding(path, text, self.planted[text])
        return list(found.values())

    def _near(self, path: str, text: str) -> str:
        """Return the line, or another line near it."""
        lines = self.head[path]
        at = lines.index(text) if text in lines else 0
        return lines[min(at + self._random.randint(0, 4), len(lines) - 1)]

    def _is_read(self, path: str, text: str, is_read: Reread) -> bool:
        line = self.head[path].index(text) + 1 if text in self.head.get(path, ()) else 0
        return bool(line) and is_read(path, "RIGHT", range(line, line + 1))

    def _finding(self, path: str, text: str, severity: Severity) -> Finding:
        words = self._random.sample(_NOUNS, 3)
        category: Category = self._random.choice(CATEGORIES)
        if text in self.planted or self.kind == "contradicts":
            words, category = ["planted", text, severity], "bug"
        line = self.head[path].index(text) + 1
        more = {
            "title": " ".join(words),
            "severity": severity,
            "category": category,
            "suggestion": self._twins.get(text),
        }
        return reported(self.head, path, line, rule=category, **more)

    # --- Chance

    def _line(self) -> str:
        self._number += 1
        return f"value_{self._number} = {self._number}"

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
