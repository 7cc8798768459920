"""What a run knows of the repository and of earlier reviews, beside its diff and its settings."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the dataclass has it at run time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from reviewbot.core.decode import decoder
from reviewbot.core.events.events import RulesOnly
from reviewbot.core.findings.finding import Finding
from reviewbot.core.findings.prior import FollowUp
from reviewbot.core.prompt.guidelines import NO_GUIDELINES, Guidelines

if TYPE_CHECKING:
    from reviewbot.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class RunContext:
    """Knowledge of the repository and of earlier reviews.

    Attributes:
        custom_rules: rules of the base, as :func:`reviewbot.rules.rule.parse_rule` takes them.
        guidelines: rules from the guideline files of the base.
        follow_ups: open findings of earlier reviews to ask about, in one request each.
        heed_added_suppressions: whether suppressions that the change adds hide errors, too.
        config_findings: mistakes in the configuration file that the change adds or edits.
        rules_only: why rules and linters alone read the change; None if a model may.
    """

    custom_rules: tuple[Mapping[str, Any], ...] = ()
    guidelines: Guidelines = NO_GUIDELINES
    follow_ups: tuple[FollowUp, ...] = ()
    heed_added_suppressions: bool = True
    config_findings: tuple[Finding, ...] = ()
    rules_only: RulesOnly | None = None

    def parsed_rules(self) -> tuple[Rule, ...]:
        """Return the rules of the repository.

        Raises:
            ConfigError: a rule is invalid.
        """
        from reviewbot.rules.rule import parse_rule

        return tuple(parse_rule(data, source=f"{data['id']}.yml") for data in self.custom_rules)


NO_CONTEXT: Final = RunContext()


def context_to_json(context: RunContext) -> dict[str, Any]:
    """Return what a stored review keeps of a context, by name; defaults are left out."""
    stored: dict[str, Any] = {}
    if context.custom_rules:
        stored["custom_rules"] = [dict(rule) for rule in context.custom_rules]
    if context.guidelines != NO_GUIDELINES:
        stored["selected_guidelines"] = asdict(context.guidelines)
    if context.follow_ups:
        stored["follow_ups"] = [asdict(follow_up) for follow_up in context.follow_ups]
    if not context.heed_added_suppressions:
        stored["heed_added_suppressions"] = False
    if context.config_findings:
        stored["config_findings"] = [asdict(finding) for finding in context.config_findings]
    if context.rules_only is not None:
        stored["rules_only"] = asdict(context.rules_only)
    return stored


def context_from_json(stored: Mapping[str, Any]) -> RunContext:
    """Return the context of a stored review, whose other options are ignored.

    Raises:
        ValueError: a value is not of its type.
    """
    guidelines, follow_up, of_config = decoder(Guidelines), decoder(FollowUp), decoder(Finding)
    selected, rules_only = stored.get("selected_guidelines"), stored.get("rules_only")
    return RunContext(
        custom_rules=tuple(stored.get("custom_rules", ())),
        guidelines=NO_GUIDELINES
        if selected is None
        else cast("Guidelines", guidelines(selected, "selected_guidelines")),
        follow_ups=tuple(
            cast("FollowUp", follow_up(entry, "follow_ups"))
            for entry in stored.get("follow_ups", ())
        ),
        heed_added_suppressions=bool(stored.get("heed_added_suppressions", True)),
        config_findings=tuple(
            cast("Finding", of_config(finding, "config_findings"))
            for finding in stored.get("config_findings", ())
        ),
        rules_only=None
        if rules_only is None
        else cast("RulesOnly", decoder(RulesOnly)(rules_only, "rules_only")),
    )
