"""Built-in patterns for secrets with a unique prefix, for all platforms. Pure.

The maintained list is betterleaks' (``leak_scan``). The built-in patterns replace betterleaks on
platforms without a build (Python 3.14, musl). They also find what betterleaks misses: ``ghs_``
installation tokens of 520 characters (https://github.blog/changelog, "GitHub App installation
tokens: new format"), and tokens that betterleaks reports only beside the name of their account.
Every pattern begins with a literal and has bounded repeats, so the search is linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.search_text import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import Kind, ScanText


@dataclass(frozen=True, slots=True)
class _Rule:
    """A built-in rule, which is tried only if the text contains one of its ``words``."""

    name: str
    description: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    kind: Kind = "secret"


def _rule(name: str, description: str, words: str, pattern: str, kind: Kind = "secret") -> _Rule:
    return _Rule(name, description, tuple(words.split()), re.compile(pattern), kind)


_NOT_AFTER_WORD: Final = r"(?<![A-Za-z0-9])"
_RULES: Final = (
    _rule(
        "aws-access-key",
        "AWS access key",
        "AKIA ASIA ABIA ACCA",
        _NOT_AFTER_WORD
        + r"(?:AKIA|ASIA|ABIA|ACCA)(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    _rule(
        "github-token",
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        r"gh[pousr]_[A-Za-z0-9_.\-]{35,2000}[A-Za-z0-9_\-]",
    ),
    _rule("github-token", "GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    _rule("anthropic-key", "Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_\-]{20,256}"),
    _rule(
        "openai-key",
        "API key",
        "sk-",
        _NOT_AFTER_WORD + r"sk-(?:(?:proj|svcacct|admin|service)-[A-Za-z0-9_\-]{32,256}"
        r"|(?:or-v1-)?[A-Za-z0-9]{32,128})",
    ),
    _rule(
        "stripe-key",
        "Stripe key",
        "sk_live_ sk_test_ rk_live_ rk_test_",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}",
    ),
    _rule("slack-token", "Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9\-]{10,250}"),
    _rule("slack-token", "Slack app token", "xapp-", r"xapp-[0-9]-[A-Za-z0-9\-]{20,250}"),
    _rule(
        "slack-webhook",
        "Slack webhook",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_\-]{20,256}",
    ),
    _rule(
        "gitlab-token",
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glsoat-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|soat)-[A-Za-z0-9_\-]{20,300}",
    ),
    _rule("npm-token", "npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _rule("pypi-token", "PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_\-]{50,1000}"),
    _rule("google-key", "Google API key", "AIza", r"AIza[A-Za-z0-9_\-]{35}"),
    _rule("google-secret", "Google client secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_\-]{28}"),
    _rule("hugging-face-token", "Hugging Face token", "hf_", r"hf_[A-Za-z]{34}"),
    _rule("sendgrid-key", "SendGrid key", "SG.", r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
    _rule("digitalocean-token", "DigitalOcean token", "dop_v1_", r"dop_v1_[a-f0-9]{64}"),
    _rule(
        "airtable-token",
        "Airtable token",
        "pat",
        _NOT_AFTER_WORD + r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
    ),
    _rule(
        "artifactory-key", "Artifactory key", "AKCp", _NOT_AFTER_WORD + r"AKCp[A-Za-z0-9]{68,70}"
    ),
    _rule(
        "planetscale-token",
        "PlanetScale token",
        "pscale_",
        r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.\-]{32,64}",
    ),
    _rule("supabase-key", "Supabase key", "sb_secret_", r"sb_secret_[A-Za-z0-9_\-]{31}"),
    _rule(
        "tailscale-key",
        "Tailscale key",
        "tskey-",
        r"tskey-(?:api|auth|client|scim|webhook)-[A-Za-z0-9_\-]{20,128}",
    ),
    _rule(
        "azure-storage-key",
        "Azure storage key",
        "AccountKey=",
        r"AccountKey=(?P<value>[A-Za-z0-9+/]{86}==)",
    ),
    _rule(
        "jwt",
        "JSON Web Token",
        "eyJ",
        # Possessive, and only at the start of a run: a failed attempt is not made twice.
        r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{10,}+\.eyJ[A-Za-z0-9_\-]{10,}+\.[A-Za-z0-9_\-]{10,}+",
    ),
    _rule(
        "password-in-url",
        "Password in a URL",
        "://",
        r"""://[^\s/:@"'`<>]{0,128}:(?P<value>[^\s/@"'`<>]{3,256})@(?=[\w\[])""",
        "password",
    ),
)
_WORD: Final = r"(?:pass(?:word|wd)?|passphrase|pw|pwd|secret|token|changeme|example|credentials?)"
_STANDS_FOR_A_PASSWORD: Final = re.compile(
    r"[$%{(*].*|.*[{}$\ufffd].*|\[+\w+\]+|x+|\.+"
    r"|(?:required|nullable|sometimes|string|bail|confirmed)(?:\|[\w:,]+)+"
    rf"|[-_]?(?:(?:your|my|the)[-_]?)?{_WORD}(?:[-_]?{_WORD}){{0,5}}[-_]?\d{{0,3}}",
    re.IGNORECASE,
)


def find(scan: ScanText) -> Iterator[Hit]:
    """Yield every secret that matches a built-in rule."""
    for rule in _RULES:
        if not any(word in scan.text for word in rule.words):
            continue
        group = "value" if "value" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(scan.text):
            if rule.kind == "password" and stands_for_a_password(match[group]):
                continue
            line, start, end = scan.place(*match.span(group))
            yield Hit(line, start, end, rule.kind, rule.name, f"{rule.description}.")


def stands_for_a_password(value: str) -> bool:
    """Return whether ``value`` is a template, a mask, a validation rule, or "my-secret-pw"."""
    return _STANDS_FOR_A_PASSWORD.fullmatch(value) is not None
