"""Encryption of stored values, and the key of a server."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.errors import ConfigError
from reviewbot.store.database import open_database
from reviewbot.store.encryption import StoreCipher, UnreadableError
from reviewbot.store.reviews import NewReview, insert, work_of
from reviewbot.store.store_key import FILE, read_cipher, register
from reviewbot.store.tables import REVIEWS
from tests.support.store_keys import CIPHER, KEY, KEY_TEXT, OTHER, OTHER_TEXT

PLACE = "rb_reviews.diff 1"
SQLITE = "sqlite:///x.db"


def unset(_name: str) -> None:
    """An environment without variables."""


@given(st.binary(), st.text(st.characters()))
def test_values_are_decrypted_at_their_place_only(data: bytes, text: str) -> None:
    value, written = CIPHER.encrypt(data, PLACE), CIPHER.encrypt_text(text, PLACE)
    assert CIPHER.decrypt(value, PLACE) == data
    assert CIPHER.decrypt_text(written, PLACE) == text
    assert CIPHER.encrypt(data, PLACE) != value
    with pytest.raises(UnreadableError, match="damaged"):
        CIPHER.decrypt(value, "rb_reviews.diff 2")
    with pytest.raises(UnreadableError, match="damaged"):
        CIPHER.decrypt_text(written, "rb_reviews.diff 2")


@given(st.binary(), st.data())
def test_a_changed_value_is_reported_as_damaged_or_of_another_key(
    data: bytes, drawn: st.DataObject
) -> None:
    value = bytearray(CIPHER.encrypt(data, PLACE))
    at = drawn.draw(st.integers(4, len(value) - 1))
    value[at] ^= drawn.draw(st.integers(1, 255))
    with pytest.raises(UnreadableError, match="does not have" if at < 8 else "damaged"):
        CIPHER.decrypt(bytes(value), PLACE)
    with pytest.raises(UnreadableError):
        CIPHER.decrypt(bytes(value[:at]), PLACE)


def test_text_that_is_not_base64_is_damaged() -> None:
    for text in ("rb1:%%", "rb1:\u00e9"):
        with pytest.raises(UnreadableError, match="damaged"):
            CIPHER.decrypt_text(text, PLACE)


def test_an_earlier_key_decrypts_and_the_first_key_encrypts() -> None:
    both = StoreCipher([OTHER, KEY])
    assert both.decrypt(CIPHER.encrypt(b"old", PLACE), PLACE) == b"old"
    value = both.encrypt(b"new", PLACE)
    assert StoreCipher([OTHER]).decrypt(value, PLACE) == b"new"
    with pytest.raises(UnreadableError, match="does not have"):
        CIPHER.decrypt(value, PLACE)


def test_without_a_key_nothing_is_stored_in_clear() -> None:
    with pytest.raises(RuntimeError, match="no key"):
        StoreCipher().encrypt(b"code", PLACE)


def test_values_from_before_encryption_are_read(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}", CIPHER).engine
    new = NewReview("1", "local", b"x\x01\x03\x00\x00\x00\x00\x01", "{}", '{"a": 1}', "", "t", "d")
    with engine.begin() as connection:
        insert(connection, new, 1, last_seq=0)
        stored = connection.execute(sa.select(REVIEWS)).mappings().one()
        assert not {new.diff, new.options, new.description} & {*stored.values()}
        encrypted = work_of(connection, "1")
        old = {"diff": new.diff, "options": new.options, "description": "d", "attributes": ""}
        connection.execute(sa.update(REVIEWS).values(old))
        assert work_of(connection, "1") == encrypted
    engine.dispose()


def test_the_file_of_the_key_is_private_and_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    made = read_cipher(unset, folder, SQLITE)
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert read_cipher(unset, folder, SQLITE).key_ids == made.key_ids
    given_key = read_cipher(lambda _: f" {KEY_TEXT} ", folder, SQLITE)
    assert given_key.key_ids == CIPHER.key_ids != made.key_ids


def _key_ids(folder: Path) -> tuple[str, ...]:
    return read_cipher(unset, folder, SQLITE).key_ids


@pytest.mark.slow
def test_processes_that_start_at_once_use_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        folders = [tmp_path / str(number // 4) for number in range(80)]
        found = list(pool.map(_key_ids, folders))
    assert len(set(found)) == 20
    assert all(len({*found[at : at + 4]}) == 1 for at in range(0, 80, 4))


@pytest.mark.skipif(os.name != "posix", reason="the mode of files")
def test_a_folder_that_cannot_hold_the_key_is_reported_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    remedy = r"store\.key: cannot be written: .*, or set REVIEWBOT_STORE_KEY"
    with pytest.raises(ConfigError, match=remedy):
        read_cipher(unset, tmp_path / "file" / "state", SQLITE)


def test_a_file_of_the_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    read_cipher(unset, tmp_path, SQLITE)
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(ConfigError, match="others can read this; run chmod 600"):
        read_cipher(unset, tmp_path, SQLITE)


def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path) -> None:
    for text in ("", "short", base64.b64encode(b"k" * 33).decode()):
        path = tmp_path / FILE
        path.touch(0o600)
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigError, match="must be 32 bytes in base64") as refused:
            read_cipher(unset, tmp_path, SQLITE)
        assert not text or text not in str(refused.value)
        assert path.read_text("utf-8") == text


def test_the_key_can_be_replaced_once_no_node_with_it_is_alive(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    for text, replaced in ((KEY_TEXT, False), (f"{OTHER_TEXT},{KEY_TEXT}", False)):
        _register(database, text)
        assert bool(caplog.records) == replaced
    if database.startswith("postgresql"):
        with pytest.raises(ConfigError, match="give all nodes the same key"):
            _register(database, KEY_TEXT)
    engine = open_database(database).engine
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE rb_store_keys SET at = 0"))
    engine.dispose()
    _register(database, KEY_TEXT)
    assert "the key of stored source was replaced" in caplog.text


def _register(url: str, keys: str) -> None:
    cipher = read_cipher(lambda _: keys, Path("unused"), url)
    engine = open_database(url, cipher).engine
    try:
        with engine.begin() as connection:
            register(connection)
    finally:
        engine.dispose()
