"""The pictures in the docs are what the renderers make today."""

from __future__ import annotations

import re
import struct
import zlib

import pytest
from PIL import Image

from tests import record_page, record_terminal
from tests.draw_review import PICTURE, WIDTH, WORDS, drawn, note_of, words_of
from tests.png import SIGNATURE, chunks, joined

AGAIN = "python -m tests.draw_review"


async def test_the_picture_of_a_review_is_not_out_of_date() -> None:
    words = words_of(await drawn())
    assert words == WORDS.read_text(encoding="utf-8"), AGAIN
    assert note_of(words) in chunks(PICTURE.read_bytes()), AGAIN


def test_the_picture_of_a_review_is_one_and_is_whole() -> None:
    parts = chunks(PICTURE.read_bytes())
    assert (parts[0][0], parts[-1]) == (b"IHDR", (b"IEND", b""))
    width, height, depth, colours, *_, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    assert (width, depth, colours, interlaced) == (WIDTH, 8, 2, 0)
    assert 600 < height < 2_000
    pixels = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
    assert len(pixels) == height * (1 + 3 * width)
    assert PICTURE.stat().st_size > 10_000


@pytest.mark.parametrize("broken", [b"x" * 20_000, SIGNATURE + b"x" * 20_000])
def test_a_file_that_is_no_picture_is_seen(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"no PNG|is broken"):
        chunks(broken)


def test_a_picture_that_is_cut_off_or_changed_is_seen() -> None:
    whole = PICTURE.read_bytes()
    assert joined(chunks(whole)) == whole
    for broken in (whole[:-1], whole[:5_000] + b"?" + whole[5_001:]):
        with pytest.raises(ValueError, match="is broken"):
            chunks(broken)


def test_the_recording_of_the_terminal_is_not_out_of_date() -> None:
    """Numbers are not compared: times differ, and the rules become more."""
    drawn = record_terminal.drawn(record_terminal.printed())
    kept = record_terminal.RECORDING.read_text(encoding="utf-8")
    numbers = re.compile(r"[\d.]+( ms| s)?")
    again = "python -m tests.record_terminal"
    assert numbers.sub("", drawn) == numbers.sub("", kept), again


def test_the_recording_of_the_page_moves_and_is_below_a_megabyte() -> None:
    with Image.open(record_page.RECORDING) as recording:
        assert (recording.format, recording.size) == ("WEBP", record_page.SIZE)
        recording.seek(5)  # an error if there are fewer pictures
    assert record_page.RECORDING.stat().st_size < 1_000_000
