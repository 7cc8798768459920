"""Render all studies of the lab as one self-contained HTML page.

The page loads nothing and works from ``file://``. Its policy admits only its own script and style,
by their hashes. Everything else is text, and a diff is hostile data: the template escapes it, after
hidden characters were made visible. Only the style, the script and the JSON of :func:`_data` are
not escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import cut, show_line
from reviewbot.core.wording import count
from reviewbot.lab.turns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from reviewbot.core.prompt.request import Prompt
    from reviewbot.lab.budget import BudgetStudy
    from reviewbot.lab.cost import CostStudy
    from reviewbot.lab.review import ReviewStudy
    from reviewbot.lab.stream import StreamStudy
    from reviewbot.lab.temperature import TemperatureStudy
    from reviewbot.lab.tokens import TokenStudy
    from reviewbot.lab.turns import TurnStudy

_TEXT: Final = 20_000
"""Maximum characters of a text on the page; the rest is counted."""
_FILES: Final = 200
"""Maximum number of files on the page; the others are counted."""
_FRAMES: Final = 40
"""Maximum number of events of the stream on the page."""
_FRAME: Final = 200
"""Maximum characters of an event on the page."""


@dataclass(frozen=True, slots=True)
class LabStudies:
    """All studies of the diff ``name``; ``turns`` is about the demo.

    ``prompt`` is the prompt of the first request.
    """

    name: str
    prompt: Prompt
    tokens: TokenStudy
    cost: CostStudy
    stream: StreamStudy
    temperature: TemperatureStudy
    budget: BudgetStudy
    review: ReviewStudy
    turns: TurnStudy


@dataclass(frozen=True, slots=True)
class _Row:
    """Row of a table: ``bar`` is the length of its bar in percent; ``own`` is emphasized."""

    cells: Sequence[str]
    bar: float = 0.0
    own: bool = False


def render_page(studies: LabStudies) -> str:
    """Return the page."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            name=studies.name,
            policy=policy,
            style=style,
            script=script,
            data=_data(studies),
            tokens=studies.tokens,
            cost=studies.cost,
            stream=studies.stream,
            temperature=studies.temperature,
            budget=studies.budget,
            review=studies.review,
            turns=studies.turns,
            turn_columns=COLUMNS,
            form_names=[form.name for form in studies.cost.forms],
            more_files=len(studies.budget.files[_FILES:]),
            prompt_parts=_prompt_parts(studies.prompt),
            **_rows(studies),
        )
    )


def _prompt_parts(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    return (
        ("The rules", prompt.system),
        ("The examples and the changed paths", prompt.shared),
        ("The diff as the model sees it", prompt.body),
    )


def _rows(studies: LabStudies) -> dict[str, list[_Row]]:
    """Return the rows of each table, by the name that the template uses."""
    stream, review = studies.stream, studies.review
    most = max(part.estimated for part in studies.tokens.parts)
    frames = review.recording.frames if review.recording else ()
    return {
        "part_rows": [
            _Row(
                (part.name, f"{part.characters:,}", f"{part.estimated:,}"),
                100 * part.estimated / most,
            )
            for part in studies.tokens.parts
        ],
        "form_rows": [_Row(figures) for figures in studies.cost.figures],
        "model_rows": [
            _Row((one.model, *(f"{amount:,.0f}" for amount in one.dollars)), own=own)
            for one in studies.cost.models
            for own in [one.model == studies.cost.model]
        ],
        "stream_rows": [_Row((label, value)) for label, value in stream.figures],
        "file_rows": [
            _Row((one.path, f"{one.tokens:,}", one.fate)) for one in studies.budget.files[:_FILES]
        ],
        "limit_rows": [_Row(one.figures, own=one.is_own) for one in studies.budget.limits],
        "turn_rows": [_Row(step.figures) for step in studies.turns.steps],
        "frames": [
            _Row((f"{one.at:.2f}", one.event, cut(one.data, _FRAME))) for one in frames[:_FRAMES]
        ],
    }


def _data(studies: LabStudies) -> str:
    """Return what the script needs, as JSON that cannot end a script element."""
    stream, distribution = studies.stream, studies.temperature.distribution
    data = {
        "distribution": {"tokens": distribution.tokens, "logits": distribution.logits},
        "stream": {
            "end": stream.end,
            "findings": [[one.at, one.text] for one in stream.findings],
            "pieces": [[one.at, show_line(one.text)] for one in stream.pieces],
        },
    }
    text = json.dumps(data)  # ASCII alone
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _shown(value: object) -> object:
    """Return the output of an expression of the template: of a text, its visible form.

    Text that is already markup is ours.
    """
    if type(value) is not str:
        return value
    return "\n".join(show_line(line) for line in cut(value, _TEXT).split("\n"))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _asset(name: str) -> str:
    return (files("reviewbot") / "lab" / "assets" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    names = ("page.html.j2", "table.html.j2")
    environment = Environment(
        loader=DictLoader({name: _asset(name) for name in names}),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_shown,
    )
    environment.globals["count"] = count
    return environment
