"""``reviewbot rules``: show the offline rules with the levels of this repository."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewbot.config.load import read_settings, repository_root
from reviewbot.core.findings.finding import level_of
from reviewbot.errors import EXIT_OK, ConfigError
from reviewbot.pipeline.custom_rules import load_custom_rules, read_from_folder
from reviewbot.rules.load import load_rules
from reviewbot.rules.rule import parse_rule

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from reviewbot.models.linters.rules import RuleGroup
    from reviewbot.rules.rule import Rule


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "rule", nargs="?", metavar="ID", help="explain this rule, which may be one of a linter"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="output format (default: %(default)s)",
    )
    parser.epilog = (
        "examples:\n  reviewbot rules\n  reviewbot rules python/eval\n"
        "  reviewbot rules ruff/F821\n\n"
        "To change the level of a rule (off, error, warning or note), in .reviewbot.yml:\n"
        '  rules:\n    python/eval: "off"'
    )


def run(args: argparse.Namespace) -> int:
    """List the rules, or show a rule.

    Raises:
        ConfigError: the rule does not exist, or a setting or a rule of the repository is invalid.
    """
    from reviewbot.models.linters.programs import describe_programs
    from reviewbot.models.linters.rules import find_rule

    custom = _custom_rules()
    rules = (*load_rules(), *custom)
    levels = read_settings({}, custom_ids=[rule.id for rule in custom]).rules
    if args.rule is not None and (group := find_rule(args.rule)):
        print(_of_linter(args.rule, group, levels, args.format))  # noqa: T201  the command's output
        return EXIT_OK
    if args.rule is not None:
        rules = (_find(args.rule, rules),)
    if args.format == "json":
        text = json.dumps([_record(rule, levels) for rule in rules], indent=2, ensure_ascii=False)
    elif args.rule is not None:
        text = _full(rules[0], levels)
    else:
        text = f"{_table(rules, levels)}\n\nLinters: {describe_programs()}"
    print(text)  # noqa: T201  the command's output
    return EXIT_OK


def _custom_rules() -> tuple[Rule, ...]:
    """Return the rules of the working tree: a rule that is being written is not committed yet."""
    files = read_from_folder(repository_root(Path.cwd()))
    loaded = asyncio.run(load_custom_rules(files))
    return tuple(parse_rule(data, source=f"{data['id']}.yml") for data in loaded)


def _find(name: str, rules: Sequence[Rule]) -> Rule:
    ids = [rule.id for rule in rules]
    found = [rule for rule in rules if name in (rule.id, rule.id.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    near = [rule.id for rule in found] or difflib.get_close_matches(name, ids, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`reviewbot rules` lists them"
    raise ConfigError(f"there is no rule {name}; {hint}")


def _level(rule: Rule, levels: Mapping[str, str]) -> str:
    """Return the configured severity of the rule's findings, or off."""
    return level_of(rule.id, rule.category, rule.severity, levels) or "off"


def _record(rule: Rule, levels: Mapping[str, str]) -> dict[str, Any]:
    return dataclasses.asdict(rule) | {"level": _level(rule, levels)}


def _table(rules: Sequence[Rule], levels: Mapping[str, str]) -> str:
    rows = [("ID", "SEVERITY", "LANGUAGE", "TITLE")]
    rows += [(rule.id, _level(rule, levels), rule.language, rule.title) for rule in rules]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]))
        for row in rows
    )


def _of_linter(rule: str, group: RuleGroup, levels: Mapping[str, str], output_format: str) -> str:
    """Return what is known of the rule of a linter."""
    own = group.severity_for("warning")
    record = {
        "id": rule,
        "severity": own,
        "category": group.category,
        "message": group.reason,
        "level": level_of(rule, group.category, own, levels) or "off",
    }
    if output_format == "json":
        return json.dumps([record], indent=2, ensure_ascii=False)
    changed = "" if record["level"] == own else f" (here: {record['level']})"
    usual = "error or warning" if group.severity == "own" else own
    text = f"{rule}\n\n{usual}{changed} · {group.category}\n\n{group.reason}"
    where = "Not in tests, examples, documentation and migrations."
    return text if group.tests else f"{text}\n\n{where}"


def _full(rule: Rule, levels: Mapping[str, str]) -> str:
    import yaml

    level = _level(rule, levels)
    changed = "" if level == rule.severity else f" (here: {level})"
    parts = [
        f"{rule.id}: {rule.title}",
        f"{rule.language} · {rule.severity}{changed} · {rule.category}"
        f" · confidence {rule.confidence}",
        rule.scenario,
        rule.message,
    ]
    if rule.fix is not None:
        parts.append(f"Suggested fix: {rule.fix}")
    if rule.ignores:
        parts.append(f"Not in: {', '.join(rule.ignores)}")
    if rule.matcher:
        matcher = yaml.safe_dump(dict(rule.matcher), sort_keys=False, allow_unicode=True)
        parts.append(f"What it matches, as an ast-grep rule:\n\n{_indented(matcher)}")
    if rule.flow:
        flow = yaml.safe_dump({**rule.flow}, sort_keys=False, allow_unicode=True)
        parts.append(f"What it follows, from a source to a sink:\n\n{_indented(flow)}")
    if rule.url:
        parts.append(rule.url)
    return "\n\n".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
