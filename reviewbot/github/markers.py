"""Hidden markers in what we post: we know our own texts by them. Pure.

A marker is an HTML comment, the last line of its text::

    <!-- reviewbot v=1 kind=finding for=... head=... base=... findings=... key=... sig=... -->

It is bound to one pull request (``for`` is a hash of what names it), and can be written in one way
only. It is signed (HMAC-SHA256 over all but ``sig``), but for an Action without a key, where the
shape is all that can be checked. In both cases a marker says nothing unless **we wrote the text
that it stands in**. That is for the caller to check, by the author: a marker can be copied into
another comment on the same pull request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from reviewbot.core.events.events import Outcome
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.github.blocks import html_blocks

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Severity

Kind = Literal["summary", "review", "finding", "reply", "check"]
"""The one summary of a pull request; the body of a review; a comment on a line; an answer to
somebody; the text of a check run."""

VERSION: Final = 1
"""Of what is written; another one is not believed."""
MAX_LENGTH: Final = 4_096
"""Characters of a marker that holds no state."""
MAX_SUMMARY: Final = 32_000
"""Characters of the marker of a summary comment."""
MAX_FINDINGS: Final = 150

FINDING_ID: Final = re.compile(r"[0-9a-f]{16}\b")
"""At the beginning of a text: the id of a finding."""

_LETTERS: Final[dict[Severity, str]] = {severity: severity[0] for severity in SEVERITIES}
_SEVERITIES: Final[dict[str, Severity]] = {severity[0]: severity for severity in SEVERITIES}
_BEGIN: Final = "<!-- reviewbot "
_ANY: Final = re.compile(r"<!-*\s*reviewbot\b", re.IGNORECASE)
_RULE: Final = re.compile(r"(?=.{1,100}\Z)[a-z0-9]++(?:[-_./][a-z0-9]++)*+")
_SHA: Final = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
# Earlier versions wrote more of a finding, and more lists of them. That is not read any more.
_NOTED: Final = r"[0-9a-f]{16}\.[ewn](?:\.[0-9a-zA-Z@:]{1,60})?"
_MARKER: Final = re.compile(
    rf"""
    (?P<signed> <!--[ ]reviewbot[ ]v={VERSION}[ ]kind=(?P<kind>{"|".join(get_args(Kind))})
    [ ]for=(?P<pull>[0-9a-f]{{32}})
    (?: [ ]head=(?P<head>{_SHA}) )?
    (?: [ ]base=(?P<base>{_SHA}) )?
    (?: [ ]with=[0-9a-f]{{16}} )?
    (?: [ ]outcome=(?P<outcome>{"|".join(get_args(Outcome))}) )?
    (?: [ ]findings=(?P<findings> {_NOTED} (?:,{_NOTED}){{0,{MAX_FINDINGS - 1}}} ) )?
    (?: [ ](?:fixed|at)=[0-9a-zA-Z@:.,]{{1,9900}} ){{0,2}}
    (?: [ ]rule=(?P<rule>(?=[^ ]{{1,100}}[ ])[a-z0-9]++(?:[-_./][a-z0-9]++)*+) )?
    (?: [ ]key=(?P<key> (?=[^ ]{{1,100}}[ ]) [A-Za-z0-9]++ (?: [-_.:] [A-Za-z0-9]++ )*+ ) )?
    (?: [ ]state=(?P<state>[A-Za-z0-9+/]{{1,30000}}={{0,2}}) )? )
    (?: [ ]sig=(?P<sig>[0-9a-f]{{64}}) )?
    [ ]-->
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding that a text of ours shows."""

    id: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.id}.{_LETTERS[self.severity]}"


@dataclass(frozen=True, slots=True)
class Marker:
    """What a text of ours says of itself.

    Attributes:
        head: the commit that was reviewed; only a reply may be without.
        base: the commit that its diff began at, likewise.
        findings: those that the text shows; of a comment on a line exactly one.
        rule: the rule or category of that finding.
        key: names the one request that posted the text, so that it is never repeated: letters,
            digits and single ``-_.:`` between them, at most 100.
        state: of a summary, the packed :class:`.StateBlock`.
    """

    kind: Kind
    head: str | None = None
    base: str | None = None
    outcome: Outcome | None = None
    findings: tuple[Noted, ...] = ()
    key: str | None = None
    rule: str | None = None
    state: str | None = None


def write(marker: Marker, pull: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the marker as the HTML comment that stands below the text, after an empty line.

    Args:
        marker: what it says.
        pull: what names the pull request for ever (:attr:`.PullName.bound`).
        secrets: the first signs; without one it is not signed.

    Raises:
        ValueError: a field has not the form that it must have, or a secret is empty.
    """
    noted = ",".join(map(str, marker.findings))
    fields = {
        "v": str(VERSION),
        "kind": marker.kind,
        "for": _bound(pull),
        "head": marker.head,
        "base": marker.base,
        "outcome": marker.outcome,
        "findings": noted,
        "rule": marker.rule,
        "key": marker.key,
        "state": marker.state,
    }
    signed = _BEGIN + " ".join(f"{name}={value}" for name, value in fields.items() if value)
    sig = f" sig={_signature(signed, secrets[0])}" if secrets else ""
    written = f"{signed}{sig} -->"
    limit = MAX_LENGTH if marker.state is None else MAX_SUMMARY
    if _fields(written) != marker or len(written) > limit:
        raise ValueError(f"this cannot be written as a marker: {marker}")
    return written


def parse(text: str, pull: str, secrets: tuple[str, ...] = ()) -> Marker | None:
    """Return the marker of a text that **we** wrote; None if there is none that can be believed.

    Believed is the last line alone, or if it is signed a line above what somebody has added; and
    only if GitHub reads it as a comment of its own, it is the only marker of the text, it is
    written as :func:`write` would, and for this pull request.

    Args:
        text: the comment, the review or the check run's text.
        pull: what names the pull request that it was found at.
        secrets: one of them must have signed it; without any it must not be signed.

    Raises:
        ValueError: a secret is empty.
    """
    match = _only(text, pull)
    if match is None:
        return None
    made = [_signature(match["signed"], secret) for secret in secrets]
    return _fields(match[0]) if _is_signed(match["sig"], made) else None


def shape(text: str, pull: str) -> Marker | None:
    """Return the same whoever signed it, if anybody did.

    Good enough to post nothing twice; not to leave anything out of a review.
    """
    match = _only(text, pull)
    return None if match is None else _fields(match[0])


def rule_field(rule: str) -> str | None:
    """Return a rule as a marker can name it; None if it cannot."""
    return rule if _RULE.fullmatch(rule) else None


def has_marker(text: str) -> bool:
    """Return whether anything in ``text`` looks like a marker, believed or not."""
    return _ANY.search(text) is not None


def _only(text: str, pull: str) -> re.Match[str] | None:
    """Return the one marker of a text, if it is for this pull request."""
    before, begin, after = text.partition(_BEGIN)
    if not begin or _BEGIN in after or (before and not before.endswith("\n")):
        return None
    line, _, below = f"{begin}{after}".partition("\n")
    match = _match(line := line.rstrip())
    if match is None or match["pull"] != _bound(pull) or (below.strip() and not match["sig"]):
        return None
    return match if line in html_blocks(text) else None


def _match(written: str) -> re.Match[str] | None:
    return _MARKER.fullmatch(written) if len(written) <= MAX_SUMMARY else None


def _fields(written: str) -> Marker | None:
    """What a marker says; None if it is not well-formed, or says what makes no sense."""
    match = _match(written)
    if match is None:
        return None
    noted = _noted(match["findings"])
    marker = Marker(
        kind=cast("Kind", match["kind"]),
        head=match["head"],
        base=match["base"],
        outcome=cast("Outcome | None", match["outcome"]),
        findings=noted,
        key=match["key"],
        rule=match["rule"],
        state=match["state"],
    )
    whole = marker.kind == "reply" or (marker.head and marker.base)
    one = marker.kind != "finding" or len(noted) == 1
    return marker if whole and one and len({one.id for one in noted}) == len(noted) else None


def _noted(written: str | None) -> tuple[Noted, ...]:
    entries = (one.split(".") for one in written.split(",")) if written else ()
    return tuple(Noted(id_, _SEVERITIES[letter]) for id_, letter, *_ in entries)


def _bound(pull: str) -> str:
    """A pull request as a hash: a name could hold what a comment must not, such as ``--``."""
    return hashlib.sha256(f"reviewbot marker for {pull}".encode()).hexdigest()[:32]


def _signature(signed: str, secret: str) -> str:
    if not secret:
        raise ValueError("the secret that signs markers is empty")
    key = secret.encode("utf-8", "surrogateescape")
    # The words in front keep this apart from all else that the same secret may sign.
    return hmac.new(key, f"reviewbot marker\n{signed}".encode(), hashlib.sha256).hexdigest()


def _is_signed(sig: str | None, made: list[str]) -> bool:
    if sig is None or not made:
        return sig is None and not made
    return any(hmac.compare_digest(sig, one) for one in made)
