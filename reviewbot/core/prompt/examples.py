"""The few-shot examples: invented changes with their correct answers. Pure.

``prompts/examples/*.toml`` holds one set for a group of languages, and ``general.toml`` for all.
Of each pair one example has a finding and one is a tempting case without: a guard above the hunk,
moved code that looks deleted, a refactoring, a declared default. More examples would cost more than
the whole diff of a median pull request.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.plan.languages import language_of
from reviewbot.core.prompt.templates import sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.prompt.request import ManifestEntry

_FOLDER: Final = "examples/"


@dataclass(frozen=True, slots=True)
class Example:
    """One example of the prompt.

    ``shown`` is the diff in the form of :mod:`reviewbot.core.prompt.numbered`. ``answer`` is the
    input of the report tool as JSON. ``decided_by`` is a sentence about the decisive line.
    ``identifiers`` are names in ``shown`` that are rare in other code.
    """

    shown: str
    decided_by: str
    answer: str
    identifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """The examples of one file: ``findings`` have a finding in their answer, ``clean`` none."""

    languages: tuple[str, ...]
    findings: tuple[Example, ...]
    clean: tuple[Example, ...]


@cache
def example_sets() -> dict[str, ExampleSet]:
    """Return all examples, by the name of their file without the extension."""
    import tomllib

    return {
        path.removeprefix(_FOLDER).removesuffix(".toml"): _set(tomllib.loads(text))
        for path, text in sources().items()
        if path.startswith(_FOLDER)
    }


def _set(data: dict[str, Any]) -> ExampleSet:
    examples = [(bool(item.get("findings")), _example(item)) for item in data["example"]]
    return ExampleSet(
        languages=tuple(data["languages"]),
        findings=tuple(example for found, example in examples if found),
        clean=tuple(example for found, example in examples if not found),
    )


def _example(item: dict[str, Any]) -> Example:
    fields = REPORT_TOOL["input_schema"]["properties"]["findings"]["items"]["required"]
    findings = [
        {name: finding.get(name) if name == "suggestion" else finding[name] for name in fields}
        for finding in item.get("findings", [])
    ]
    heading = item["shown"].removeprefix("=== file ")
    path, _ = json.JSONDecoder().raw_decode(heading)
    files = [{"path": path, "change": item["change"]}]
    answer = {"findings": findings, "files": files, "outcome": "complete"}
    return Example(
        shown=item["shown"],
        decided_by=item["decided_by"],
        answer=json.dumps(answer, ensure_ascii=False, separators=(",", ":")),
        identifiers=tuple(item["identifiers"]),
    )


def choose_examples(
    manifest: Iterable[ManifestEntry], *, has_rules: bool = False
) -> tuple[Example, ...]:
    """Return the examples for a pull request: one with a finding, and one without.

    The language with the most changed lines provides the example with a finding. The second
    language (or else the first) provides the one without. The general set provides both if no
    language is known, and a violated rule if the repository has instructions. The choice depends
    only on the arguments, so it is the same in every request.
    """
    sets = example_sets()
    by_language = {language: name for name, each in sets.items() for language in each.languages}
    lines: Counter[str] = Counter()
    for entry in manifest:
        name = by_language.get(language_of(entry.path) or "")
        if entry.shown and name:
            lines[name] += entry.added + entry.removed
    ranked = sorted(lines, key=lambda name: (-lines[name], name))
    rule, found = sets["general"].findings
    (clean,) = sets["general"].clean
    if ranked:
        found = sets[ranked[0]].findings[0]
        clean = sets[ranked[min(1, len(ranked) - 1)]].clean[0]
    return (found, clean, rule) if has_rules else (found, clean)


@cache
def example_identifiers() -> frozenset[str]:
    """Return the names invented for the examples.

    A finding with such a name describes an example, unless the diff has the name too, as a change
    to this package may.
    """
    return frozenset(
        identifier
        for each in example_sets().values()
        for example in (*each.findings, *each.clean)
        for identifier in example.identifiers
    )
