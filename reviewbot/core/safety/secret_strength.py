"""Strength of a secret: how much its form proves. Pure.

The strength decides how severe a finding is. It never decides what is redacted: passwords and
placeholders are redacted, too.
"""

from __future__ import annotations

import re
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    from reviewbot.core.safety.search_text import Kind

Strength = Literal["provider", "generic", "placeholder"]
"""``provider``: a token of a known form. ``generic``: no provider is known that accepts it, or it
is a key for a provider's test mode. ``placeholder``: nobody issued it, or only this machine accepts
it."""

_GENERIC_RULES: Final = frozenset(
    {
        *("generic-api-key", "hashicorp-tf-password"),
        *("jwt", "jwt-base64", "kubernetes-secret-yaml", "mongodb-connection-string"),
        "nuget-config-password",
    }
)
"""Rules that name no provider, besides those of passwords."""
# Stripe introduced the form, and other providers took it over. Such a key moves no money.
_TEST_MODE: Final = late_pattern(r"[a-z]{2,10}_test_")
_DOCUMENTED: Final = late_pattern(
    # AWS: AKIA...EXAMPLE, and secret keys that end in EXAMPLEKEY.
    r".*EXAMPLE(?:KEY)?"
    # jwt.io: {"sub":"1234567890","name":"John Doe", with any header and signature.
    r"|[\w-]+\.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9l.*"
    # The storage account of Azure's emulator, devstoreaccount1.
    r"|Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsu.*"
    # MD5, SHA-1 and SHA-256 of nothing.
    r"|d41d8cd98f00b204e9800998ecf8427e|da39a3ee5e6b4b0d3255bfef95601890afd80709"
    r"|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    # The nonce of RFC 6455, and a token that is abridged.
    r"|dGhlIHNhbXBsZSBub25jZQ==|[\w+/=-]*(?:\.{3}|\u2026)[\w+/=.-]*",
    re.DOTALL,
)
_NOWHERE: Final = late_pattern(
    r"@(?:127(?:\.\d{1,3}){3}|\[::1\]|0\.0\.0\.0|(?:[\w-]{1,63}\.){0,8}"
    r"(?:localhost|test|invalid|example(?:\.(?:com|org|net))?))(?![\w.-])",
    re.IGNORECASE,
)
"""Hosts of a URL that are reserved for examples (RFC 2606, RFC 6761), or this machine."""
_ACCOUNT_KEY: Final = late_pattern(
    r"\bprivate_key\W{1,2}:\s{0,9}\W{1,2}-----BEGIN PRIVATE KEY-----$"
)
"""The field of a service account of Google, in JSON."""
_OTHER: Final = late_pattern(r"[^A-Za-z0-9]+")
_BODY: Final = 16
"""Characters at the end of a token that are random in every known form."""
_FEW_CHARACTERS: Final = 4
_MANY_STEPS: Final = 13
_ORDER: Final = "01234567890abcdefghijklmnopqrstuvwxyz"
_STEPS: Final = frozenset(
    {one + other for one, other in pairwise(_ORDER)}
    | {other + one for one, other in pairwise(_ORDER)}
    | {one * 2 for one in _ORDER}
    | {"9a", "f0", "f1", "za", "z0", "z1"}
)
_CLASSES: Final = str.maketrans(
    {
        **{chr(code): None for code in range(128) if not chr(code).isalnum()},
        **dict.fromkeys(ascii_lowercase, "l"),
        **dict.fromkeys(ascii_uppercase, "u"),
        **dict.fromkeys(digits, "d"),
    }
)
_CHANGES: Final = ("ld", "dl", "lu", "du", "ud")
"""Changes between classes of characters. ``ul`` is none: it begins a word."""
_CHANGES_MIN: Final = 3
_DIFFERENT_MIN: Final = 7


def strength_of(
    rule: str, kind: Kind, value: str, *, before: str = "", after: str = ""
) -> Strength:
    """Return how much the form of a secret proves.

    Args:
        rule: the rule that found the secret.
        kind: the kind of the secret.
        value: the text of the secret, without line ends.
        before: the text before it on its line: the name of the field in the JSON of an account, or
            the user, before a password in a URL.
        after: the text that follows on its line: the host, after a password in a URL.
    """
    if kind == "private-key":
        return "provider" if _ACCOUNT_KEY.search(before) else "generic"
    if _is_placeholder(value) or rule.startswith("curl-auth-"):  # mostly an example
        return "placeholder"
    # A default, such as ``postgres:postgres``.
    if kind == "password" and (_NOWHERE.match(after) or before.endswith(f"//{value}:")):
        return "placeholder"
    is_generic = kind == "password" or rule in _GENERIC_RULES or _TEST_MODE.match(value)
    return "generic" if is_generic else "provider"


def looks_random(value: str) -> bool:
    """Return whether letters and digits alternate as in random text, unlike words and numbers.

    Of random texts of 20 letters and digits, 96 in 100 do; of 32 or more, 99.
    """
    classes = value.translate(_CLASSES)
    numbers, length = classes.count("d"), len(classes)
    changes = sum(map(classes.count, _CHANGES))
    return (
        0 < numbers < length
        and changes >= max(_CHANGES_MIN, length // (5 if numbers > 1 else 4))
        and len(set(value)) >= _DIFFERENT_MIN
    )


def _is_placeholder(value: str) -> bool:
    """Return whether the value is a documented sample, or its end repeats or counts.

    Of random bodies of 16 digits one in 10,000 does so, and of other bodies practically none.
    """
    if _DOCUMENTED.fullmatch(value):
        return True
    body = _OTHER.sub("", value)[-_BODY:].lower()
    if len(body) < _BODY:
        return False
    steps = sum(one + other in _STEPS for one, other in pairwise(body))
    return len(set(body)) <= _FEW_CHARACTERS or steps >= _MANY_STEPS
