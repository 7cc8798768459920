"""Passwords are replaced as whole tokens, and nothing beside them is."""

from __future__ import annotations

import json

import pytest

from reviewbot.core.safety.redact import redact_text

PASSWORD = "[REDACTED:password]"


def test_the_user_name_beside_a_password_stays() -> None:
    text = '{"password": "x1y2z3w4", "username": "user"}'
    assert redact_text(text) == text.replace("x1y2z3w4", PASSWORD)


def test_the_user_name_on_another_line_stays() -> None:
    text = json.dumps({"host": "db", "user": "service1", "password": "x1y2z3w4"}, indent=2)
    assert redact_text(text) == text.replace("x1y2z3w4", PASSWORD)


def test_the_name_of_an_account_beside_its_key_stays() -> None:
    key = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5" * 2 + "aB3dE5fG7hI9jK" + "=="
    text = f"AccountName=shopdata;AccountKey={key};BlobEndpoint=https://shopdata.blob.core/"
    assert redact_text(text) == text.replace(key, "[REDACTED:secret]")


def test_a_password_that_is_part_of_another_word_of_its_match_stays_there() -> None:
    before, after = "postgres://x1y2z3w45:", "@x1y2z3w4a.corp/app"
    assert redact_text(f"{before}x1y2z3w4{after}") == f"{before}{PASSWORD}{after}"


def test_words_for_a_password_are_none() -> None:
    for value in ("mysecretpassword", "my-secret-pw", "password_token-12", "the_example_secret"):
        assert redact_text(f"redis://app:{value}@db.corp") == f"redis://app:{value}@db.corp"
    for value in ("DB_PASSWORD", "dbPassword", "APP_DB_SECRET"):
        assert redact_text(f"redis://app:{value}@db.corp") == f"redis://app:{value}@db.corp"
    for value in ("example", "DB_PASSWORD"):
        url = f"mongodb://root:{value}@mongo:27017"
        assert redact_text(url) == url
    for value in ("mysecretpasswordX", "swordfish", "secret-1234"):
        assert value not in redact_text(f"redis://app:{value}@db.corp")
        assert value not in redact_text(f"mongodb://root:{value}@mongo:27017")


def test_an_expression_is_no_password() -> None:
    for value in ("route.query.demoPassword?.[0]", "[[password1]]"):
        assert redact_text(f"password: {value}, host: db") == f"password: {value}, host: db"
    assert (
        redact_text("redis://[[user]:[password]]@db.corp") == "redis://[[user]:[password]]@db.corp"
    )


def test_a_rule_for_passwords_of_laravel_is_no_password() -> None:
    rule = "'password' => 'required|confirmed|min:6',"
    assert redact_text(rule) == rule
    assert "required1min6" not in redact_text("'password' => 'required1min6',")


def test_a_token_of_a_provider_goes_also_within_another_word() -> None:
    token = "ghp" + "_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
    assert token[8:] not in redact_text(f'x = "my{token}yours"')


@pytest.mark.parametrize(
    "message",
    [
        "Password must have at least 8 characters",
        "must be 8-64 characters (letters, numbers).",
        "Le mot de passe doit contenir 8 caract\u00e8res",
        "Don't use fewer than 12 characters!",
    ],
)
def test_a_sentence_with_a_number_is_no_password(message: str) -> None:
    for line in (f'"auth.password": "{message}",', f'weakPassword: "{message}",'):
        assert redact_text(line) == line


@pytest.mark.parametrize("value", ["my d0g has 3 legs", "x9 y8 z7", "8 characters"])
def test_a_password_of_several_words_is_found(value: str) -> None:
    assert value not in redact_text(f'password = "{value}"')
