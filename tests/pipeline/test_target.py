"""Where output goes: whole files, links followed, devices left as they are, trouble told early."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import SourceError
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before", encoding="utf-8")
    OutputTarget(path).replace("after \u20ac")
    assert path.read_text(encoding="utf-8") == "after \u20ac"
    assert list(tmp_path.iterdir()) == [path]


def test_a_stream_grows_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    target = OutputTarget(path)
    for text in ("one\n", "two\n"):
        target.append(text)
        assert path.read_text(encoding="utf-8").endswith(text)
    target.close()
    assert path.read_text(encoding="utf-8") == "one\ntwo\n"


@posix
def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    link, file = tmp_path / "link", tmp_path / "file"
    file.touch()
    link.symlink_to(file)
    OutputTarget(link).replace("text")
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8") == "text"


@posix
def test_a_device_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        target = OutputTarget(fifo)
        target.replace("text")
        target.close()
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert fifo.is_fifo()


@pytest.mark.parametrize(
    ("name", "why"), [(".", "it is a folder"), ("no/such/file", "there is no such folder")]
)
def test_what_cannot_be_written_is_said_before_anything_is_done(
    name: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=why):
        OutputTarget(tmp_path / name)
