"""The folder of an evaluation keeps its results, and never mixes those of different evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.result_folder import LOCK, RESULTS, Header, Store, open_store
from tests.support.evaluations import comment, result

HEADER = Header("cases", {"tool": "1"})


def test_stored_results_are_read_again(tmp_path: Path) -> None:
    first, second = result("a", comment(5, severity="note")), result("b", error="It broke off.")
    with open_store(tmp_path / "new" / "folder", HEADER) as store:
        assert store.results.read() == ()
        store.results.append(first)
        store.results.append(second)
    with open_store(tmp_path / "new" / "folder", HEADER) as store:
        assert store.results.read() == (first, second)


def test_a_folder_is_open_once_at_a_time(tmp_path: Path) -> None:
    with (
        open_store(tmp_path, HEADER) as store,
        pytest.raises(ConfigError, match=r"another process uses .*; wait for its end, or"),
        open_store(tmp_path, HEADER),
    ):
        pass
    with open_store(tmp_path, HEADER) as again:
        assert again.id == store.id


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="cannot use"), open_store(tmp_path / "file", HEADER):
        pass
    for name, make in (("folder", Path.mkdir), ("text", lambda path: path.write_text("x" * 999))):
        (tmp_path / name).mkdir()
        make(tmp_path / name / LOCK)
        with pytest.raises(SourceError, match="cannot use"), open_store(tmp_path / name, HEADER):
            pass


def test_a_line_that_an_interruption_tore_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path, HEADER)
    store.results.append(result("a"))
    with (tmp_path / RESULTS).open("a") as file:
        file.write('{"contestant": "to')
    store = Store(tmp_path, HEADER)
    store.results.append(result("b"))
    assert [one.case for one in store.results.read()] == ["a", "b"]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path, HEADER)
    (tmp_path / RESULTS).write_text('{"contestant": 1}\n')
    with pytest.raises(SourceError, match=r"results.jsonl: line 1: contestant is 1, not a string"):
        store.results.read()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (Header("others", {"tool": "1"}), "results of other cases"),
        (Header("cases", {"tool": "2"}), r"tool has changed .*then: 1; now: 2"),
        (Header("cases", {"tool": "1"}, plan="p"), "plan has changed"),
    ],
)
def test_results_of_another_evaluation_are_not_continued(
    tmp_path: Path, header: Header, message: str
) -> None:
    Store(tmp_path, HEADER)
    with pytest.raises(ConfigError, match=message):
        Store(tmp_path, header)


def test_contestants_can_be_added(tmp_path: Path) -> None:
    Store(tmp_path, HEADER)
    Store(tmp_path, Header("cases", {"other": "1"}))
    with pytest.raises(ConfigError, match="tool has changed"):
        Store(tmp_path, Header("cases", {"tool": "2"}))
