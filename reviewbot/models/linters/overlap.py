"""Own rules and rules of linters that find the same faults. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reviewbot.core.findings.draft import Draft

BETTER: Final[frozenset[str]] = frozenset(
    f"python/{name}"
    for name in (
        *("assert-tuple", "debugger", "except-or", "is-literal", "mktemp"),
        *("return-in-finally", "strip-characters"),
    )
) | frozenset(
    f"javascript/{name}"
    for name in (
        *("async-promise-executor", "debugger"),
        *("nan-comparison", "negated-in", "return-in-finally", "typeof-typo"),
    )
)
"""Own rules whose faults a linter finds more reliably: they count only where no linter ran, and in
tests, where some rules of the linters are off."""
ALIKE: Final[dict[str, tuple[str, ...]]] = {
    "oxlint/no-eval": ("javascript/eval",),
    "oxlint/no-focused-tests": ("javascript/focused-tests",),
    "ruff/ASYNC210": ("python/blocking-in-async",),
    "ruff/ASYNC251": ("python/blocking-in-async",),
    "ruff/B016": ("python/raise-non-exception",),
    "ruff/E722": ("python/swallowed-interrupt", "python/swallowed-exception"),
    "ruff/F901": ("python/raise-non-exception",),
    "ruff/PLW0177": ("python/nan-comparison",),
    "ruff/S102": ("python/eval",),
    "ruff/S110": (
        "python/swallowed-error",
        "python/swallowed-exception",
        "python/swallowed-interrupt",
    ),
    "ruff/S301": ("python/pickle-untrusted",),
    "ruff/S307": ("python/eval",),
    "ruff/S323": ("python/tls-verification-off",),
    "ruff/S324": ("python/weak-password-hash",),
    "ruff/S501": ("python/tls-verification-off",),
    "ruff/S506": ("python/yaml-load",),
    "ruff/S602": ("python/shell-injection",),
    "ruff/S604": ("python/shell-injection",),
    "ruff/S605": ("python/shell-injection",),
    "ruff/S608": ("python/sql-injection",),
    "zizmor/template-injection": ("workflow/injection",),
    "zizmor/unsound-condition": ("yaml/condition-always-true",),
}
"""Rules of linters that wait for the own rule: a fault on the same lines is reported once."""


def is_alike(linted: Draft, own: Draft) -> bool:
    """Return whether a rule of a linter and an own rule report the same fault."""
    names = ALIKE.get(linted.rule or "", ())
    same_lines = linted.line <= own.end_line and own.line <= linted.end_line
    return linted.path == own.path and own.rule in names and same_lines
