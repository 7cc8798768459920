"""The token estimate: from the shipped file, without a network, for any text, corrected later."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import tiktoken_ext.openai_public  # type: ignore[import-untyped]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.errors import ReviewbotError
from reviewbot.models import tokens
from reviewbot.models.tokens import PIECE, Calibration, TokenCounter, encoding, endpoint_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

O200K = TokenCounter(factor=1.0)


@pytest.fixture
def fresh_encoding() -> Iterator[None]:
    encoding.cache_clear()
    yield
    encoding.cache_clear()


def test_the_encoding_is_the_one_tiktoken_defines(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def our_ranks(url: str, expected_hash: str) -> dict[bytes, int]:
        asked.append(url)
        assert expected_hash == tokens.ENCODING_SHA256
        return encoding()._mergeable_ranks

    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", our_ranks)
    theirs = tiktoken_ext.openai_public.o200k_base()
    ours = encoding()
    assert asked
    assert asked[0].endswith("/o200k_base.tiktoken")
    assert (ours.name, ours._pat_str) == (theirs["name"], theirs["pat_str"])
    assert ours._special_tokens == theirs["special_tokens"]
    assert ours.n_vocab == 200_019


def test_known_texts_have_the_published_token_numbers() -> None:
    # tiktoken's README and OpenAI's tokenizer page.
    assert encoding().encode_ordinary("hello world") == [24912, 2375]
    assert O200K.count("hello world") == 2
    assert O200K.count("") == 0


@pytest.mark.usefixtures("fresh_encoding")
def test_counting_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a socket was opened: {args} {kwargs}")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    assert O200K.count("def f(x):\n    return x\n") > 5


def test_counting_works_with_the_network_refused_and_no_cache_folder(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        program = (
            "import sys, socket\n"
            "from reviewbot.models.tokens import TokenCounter\n"
            "assert TokenCounter(factor=1.0).count('hello world') == 2\n"
            "assert not {'requests', 'urllib3', 'blobfile'} & set(sys.modules)\n"
        )
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TMPDIR": str(tmp_path),
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
        }
        run = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
        )
    assert (run.returncode, run.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("fresh_encoding")
def test_a_damaged_encoding_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "o200k_base.tiktoken"
    damaged.write_bytes(tokens._encoding_file().read_bytes()[:-1])
    monkeypatch.setattr(tokens, "_encoding_file", lambda: damaged)
    with pytest.raises(ReviewbotError, match="damaged"):
        O200K.count("x")


def test_importing_the_module_loads_no_tokenizer() -> None:
    program = (
        "import sys, reviewbot.models.tokens as t\n"
        "assert t.TokenCounter(1.6).per_byte == 0.5\n"
        "assert 'tiktoken' not in sys.modules\n"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=env, check=True)


def test_the_factor_and_the_correction_scale_the_count() -> None:
    text = "the quick brown fox " * 50
    plain = O200K.count(text)
    assert TokenCounter(1.6).count(text) == -(-plain * 16 // 10)
    assert TokenCounter(1.0, 2.0).count(text) == 2 * plain
    assert TokenCounter(1.6, 1.5).per_byte == 0.75


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_is_counted_lone_surrogates_too(text: str) -> None:
    assert 0 <= O200K.count(text) <= 4 * len(text)


@given(st.text(max_size=500))
def test_text_of_one_piece_counts_as_tiktoken_counts(text: str) -> None:
    assert O200K.count(text) == len(encoding().encode_ordinary(text))


def test_special_tokens_are_ordinary_text() -> None:
    assert O200K.count("<|endoftext|>") > 1


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "unit", [" ", "a", "\n", "\t ", "=", "\U0001f600", "\0", "aA", "a\u0301", "\u200b", "\udc80"]
)
def test_a_megabyte_of_the_same_is_counted_in_linear_time(unit: str) -> None:
    # tiktoken itself panics on a million spaces: StackOverflow in its regex engine.
    counted = O200K.count(unit * (1_000_000 // len(unit)))
    few = O200K.count(unit * (PIECE // len(unit)))
    assert counted == few * (1_000_000 // PIECE)


def test_cutting_a_long_text_into_pieces_changes_the_count_by_a_few_tokens() -> None:
    text = "def f(x):\n    return x + 1  # the next one\n" * 4_000
    exact = len(encoding().encode_ordinary(text))
    assert 0 <= O200K.count(text) - exact <= 2 * (len(text) // PIECE)


def test_a_model_not_seen_before_is_not_corrected(tmp_path: Path) -> None:
    assert Calibration(tmp_path / "tokens.json").correction("m") == 1.0
    assert Calibration(None).correction("m") == 1.0


def test_what_a_review_learns_changes_later_reviews_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tokens.json"
    running = Calibration(path)
    running.learn("m", estimated=1_000, actual=2_000)
    assert running.correction("m") == 1.0
    running.save()
    assert running.correction("m") == 1.0
    assert Calibration(path).correction("m") == pytest.approx(1.2)
    assert Calibration(path).correction("other") == 1.0


def test_the_correction_settles_where_estimates_are_right(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    for _ in range(40):
        review = Calibration(path)
        estimated = round(10_000 * review.correction("m"))
        review.learn("m", estimated=estimated, actual=13_000)
        review.save()
    assert Calibration(path).correction("m") == pytest.approx(1.3, rel=0.01)


@pytest.mark.parametrize("actual", [10**30, 2_001, 499, 1])
def test_a_server_that_reports_nonsense_teaches_nothing(tmp_path: Path, actual: int) -> None:
    path = tmp_path / "tokens.json"
    review = Calibration(path)
    review.learn("m", estimated=1_000, actual=actual)
    review.save()
    assert not path.exists()


@pytest.mark.parametrize(("actual", "bound"), [(1_980, 1.98), (510, 0.51)])
def test_a_correction_never_leaves_its_bounds(tmp_path: Path, actual: int, bound: float) -> None:
    path = tmp_path / "tokens.json"
    for _ in range(60):
        review = Calibration(path)
        estimated = round(1_000 * review.correction("m"))
        review.learn("m", estimated=estimated, actual=actual)
        review.save()
    correction = Calibration(path).correction("m")
    assert correction == pytest.approx(bound, rel=0.02)
    assert 0.5 <= correction <= 2.0


def test_servers_do_not_share_what_they_teach() -> None:
    keys = [
        endpoint_key("m", None),
        endpoint_key("n", None),
        endpoint_key("m", "http://localhost:8000"),
        endpoint_key("m", "http://localhost:9000"),
    ]
    assert len(set(keys)) == 4
    assert endpoint_key("m", "http://localhost:8000/") == keys[2]
    assert "s3cret" not in endpoint_key("m", "http://me:s3cret@models.example")


def test_tiny_requests_and_missing_usage_teach_nothing(tmp_path: Path) -> None:
    review = Calibration(tmp_path / "tokens.json")
    review.learn("m", estimated=499, actual=5_000)
    review.learn("m", estimated=5_000, actual=0)
    review.save()
    assert list(tmp_path.iterdir()) == []


def test_without_a_state_file_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    review = Calibration(None)
    review.learn("m", estimated=1_000, actual=2_000)
    review.save()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "\udcff",
        '{"version": 1, "corrections": {"m": 1.5}}',
        '{"version": 3, "corrections": {"m": 1.5}}',
        '{"corrections": {"m": 1.5}}',
        '{"version": 2, "corrections": []}',
        '{"version": 2, "corrections": {"m": "much"}}',
        '{"version": 2, "corrections": {"m": NaN}}',
        '{"version": 2, "corrections": {"m": Infinity}}',
        '{"version": 2, "corrections": {"m": 1' + "0" * 400 + "}}",
        '{"version": 2, "corrections": {"m": [1.5]}}',
        "[" * 100_000,
    ],
)
def test_a_corrupt_state_file_is_a_fresh_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    review = Calibration(path)
    assert review.correction("m") == 1.0
    review.learn("m", estimated=1_000, actual=2_000)
    review.save()
    assert Calibration(path).correction("m") == pytest.approx(1.2)


def test_a_stored_correction_out_of_bounds_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text('{"version": 2, "corrections": {"m": 99, "n": 0}}', encoding="utf-8")
    assert Calibration(path).correction("m") == 2.0
    assert Calibration(path).correction("n") == 0.5


def test_saving_keeps_what_another_process_saved_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    one, other = Calibration(path), Calibration(path)
    one.learn("m", estimated=1_000, actual=2_000)
    other.learn("n", estimated=1_000, actual=1_500)
    one.save()
    other.save()
    assert Calibration(path).correction("m") == pytest.approx(1.2)
    assert Calibration(path).correction("n") == pytest.approx(1.1)


def test_readers_and_writers_at_once_always_find_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    failures: list[BaseException] = []

    def review(model: str) -> None:
        try:
            for _ in range(30):
                calibration = Calibration(path)
                calibration.learn(model, estimated=1_000, actual=1_500)
                calibration.save()
                json.loads(path.read_text(encoding="utf-8"))
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=review, args=(f"m{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["tokens.json"]


def test_a_failed_write_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokens.json"
    first = Calibration(path)
    first.learn("m", estimated=1_000, actual=2_000)
    first.save()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    second = Calibration(path)
    second.learn("m", estimated=1_000, actual=1_500)
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "replace", full)
        with pytest.raises(OSError, match="No space"):
            second.save()
    assert Calibration(path).correction("m") == pytest.approx(1.2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["tokens.json"]
