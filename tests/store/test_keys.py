"""API keys are looked up whole, and the time that it takes tells nothing of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    opened = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    with opened.engine.begin() as connection:
        yield connection
    opened.engine.dispose()


def wrong(secret: str) -> list[str]:
    """Keys that are almost it, and some that are nothing like it."""
    at = len(secret) // 2
    other = "A" if secret[at] != "A" else "B"
    return [
        secret[:-1],
        secret + "A",
        secret[:at] + other + secret[at + 1 :],
        secret.swapcase(),
        "rb_",
        "\N{SNOWMAN}" * 40,
        "\udcff",
        "x" * 100_000,
    ]


def test_only_the_whole_key_is_known(connection: sa.Connection) -> None:
    key, secret = keys.add(connection, "ci", Limits())
    keys.add(connection, "another", Limits())
    assert keys.known(connection, secret) == key
    for guess in wrong(secret):
        assert keys.known(connection, guess) is None


def test_a_key_has_one_scope(connection: sa.Connection) -> None:
    _, reviews = keys.add(connection, "ci", Limits())
    made, metrics = keys.add(connection, "prometheus", Limits(), scope="metrics")
    assert made.scope == "metrics"
    assert keys.known(connection, metrics) == made
    found = keys.known(connection, reviews)
    assert found is not None
    assert found.scope == "reviews"
    assert sorted(key.scope for key in keys.everyone(connection)) == ["metrics", "reviews"]


def test_the_database_sees_digests_and_never_a_key(connection: sa.Connection) -> None:
    """How far a comparison there came would tell of a digest, from which no key can be made."""
    _, secret = keys.add(connection, "ci", Limits())
    seen: list[str] = []

    def note(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append(f"{statement} {parameters}")

    sa.event.listen(connection, "before_cursor_execute", note)
    for guess in (secret, *wrong(secret)[:4]):
        keys.known(connection, guess)
        assert guess not in seen[-1]
        assert guess.removeprefix("rb_") not in seen[-1]
    assert len(seen) == 5


def test_digests_are_compared_in_constant_time_and_whole(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = keys.add(connection, "ci", Limits())
    compared: list[tuple[int, int]] = []

    def note(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("reviewbot.store.keys.hmac.compare_digest", note)
    assert keys.known(connection, secret) is not None
    assert compared == [(64, 64)]
    monkeypatch.setattr("reviewbot.store.keys.hmac.compare_digest", lambda *_: False)
    assert keys.known(connection, secret) is None


def test_keys_have_256_random_bits(connection: sa.Connection) -> None:
    made = {keys.add(connection, "ci", Limits())[1] for _ in range(200)}
    assert len(made) == 200
    assert {len(secret) for secret in made} == {len("rb_") + 43}  # 32 bytes in base64
