"""The form of a secret proves that a provider issued it, that nobody did, or nothing.

The values are put together at run time so that no scanner of this repository reports them.
"""

from __future__ import annotations

import random
import string

import pytest

from reviewbot.core.safety.secret_strength import strength_of

SOME = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
JOHN_DOE = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9l" + "IiwiaWF0IjoxNTE2MjM5MDIyfQ"


@pytest.mark.parametrize(
    "value",
    [
        "AKIAIOSFODNN7" + "EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{JOHN_DOE}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV",
        f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{JOHN_DOE}.{SOME}",
        "ghp" + "_" + "x" * 36,
        "ghp" + "_" + "0" * 36,
        "ghp" + "_" + "1234567890abcdefghijklmnopqrstuvwxyz",
        "glpat" + "-" + "abcdefghij1234567890",
        "AKIA" + "1234567890ABCDEF",
        "sk-" + "proj-" + "0123456789abcdef" * 2,
        "sk_" + "live_" + "zyxwvutsrqponmlkjihgfedc",
        "npm" + "_" + "abab" * 9,
        "SG." + "x" * 22 + "." + "x" * 43,
        "99ae8af...snip...ec0f262ac",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsu" + SOME,
    ],
)
def test_documented_samples_and_bodies_that_repeat_or_count_are_placeholders(value: str) -> None:
    assert strength_of("any", "secret", value) == "placeholder"


@pytest.mark.parametrize(
    "value",
    [
        "ghp" + "_" + SOME,
        "AKIA" + "QWERTYUIOPASDFGH",
        # Only a part counts or repeats.
        "sk_" + "live_" + "1234567890abcdef" + SOME,
        "EXAMPLE" + SOME,
        # Too short to prove that it counts.
        "12345678",
    ],
)
def test_a_token_with_another_body_is_a_providers(value: str) -> None:
    assert strength_of("any", "secret", value) == "provider"


@pytest.mark.parametrize(
    "alphabet", [string.hexdigits.lower(), string.ascii_letters + "0123456789"]
)
def test_no_random_body_is_a_placeholder(alphabet: str) -> None:
    source = random.Random(19)  # noqa: S311 - no secret, and the same in each run
    bodies = ("".join(source.choices(alphabet, k=20)) for _ in range(5_000))
    assert not [body for body in bodies if strength_of("any", "secret", body) != "provider"]


@pytest.mark.parametrize(
    ("rule", "kind", "value"),
    [
        ("generic-password", "password", "Tr0ub4dor&3zz"),
        ("password-in-url", "password", "Tr0ub4dor&3zz"),
        ("generic-api-key", "secret", "9f86d081884c7d659a2feaa0c55ad015"),
        ("mongodb-connection-string", "secret", "mongodb://app:Tr0ub4dor@db.corp/x"),
        ("stripe-key", "secret", "sk_" + "test_" + SOME),
        ("stripe-key", "secret", "rk_" + "test_" + SOME),
        ("jwt", "secret", f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{SOME}.{SOME}"),
        ("private-key", "private-key", "A" * 64),
        ("shippo-api-token", "secret", "shippo_" + "test_" + SOME),
    ],
)
def test_what_names_no_provider_and_keys_of_a_test_mode_are_generic(
    rule: str, kind: str, value: str
) -> None:
    assert strength_of(rule, kind, value) == "generic"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "strength"),
    [
        ('"private_key": "', "provider"),
        ('\\"private_key\\":\\"', "provider"),
        ('private_key = b"', "generic"),
        ("", "generic"),
    ],
)
def test_only_the_private_key_of_a_service_account_is_a_providers(
    before: str, strength: str
) -> None:
    before += "-----BEGIN " + "PRIVATE KEY-----"
    assert strength_of("private-key", "private-key", f"\\n{SOME}\\n", before=before) == strength


@pytest.mark.parametrize(
    "host",
    [
        "localhost/x",
        "127.0.0.1:5432",
        "[::1]:80",
        "example.com'",
        "db.example.org",
        "a.test",
        "Example",
    ],
)
def test_a_password_for_a_host_of_examples_or_of_this_machine_is_a_placeholder(host: str) -> None:
    assert (
        strength_of("password-in-url", "password", "Tr0ub4dor", after=f"@{host}") == "placeholder"
    )


@pytest.mark.parametrize(
    "host",
    ["db", "example.com.corp.io", "localhost.corp", "myexample.com", "latest", "1.127.0.0.1"],
)
def test_a_password_for_another_host_is_generic(host: str) -> None:
    assert strength_of("password-in-url", "password", "Tr0ub4dor", after=f"@{host}/x") == "generic"


@pytest.mark.parametrize(("user", "strength"), [("rabbit01", "placeholder"), ("x", "generic")])
def test_a_password_that_equals_its_user_is_a_placeholder(user: str, strength: str) -> None:
    before, after = f"amqp://{user}:", "@queue.corp/x"
    found = strength_of("password-in-url", "password", "rabbit01", before=before, after=after)
    assert found == strength


def test_an_account_in_a_curl_command_is_a_placeholder() -> None:
    assert strength_of("curl-auth-user", "secret", "admin:Tr0ub4dor") == "placeholder"
