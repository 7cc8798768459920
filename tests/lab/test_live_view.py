"""The answer on a terminal while it arrives."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from reviewbot.lab.live_view import LiveView
from reviewbot.lab.runs import review_live
from reviewbot.lab.subject import demo_or_file
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.support.settings import load

WIDTH = 80


def new_view() -> LiveView:
    return LiveView(Console(file=StringIO(), width=WIDTH))


def drawn(view: LiveView) -> str:
    console = Console(file=StringIO(), width=WIDTH)
    console.print(view.panels())
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_streamed_text_stands_beside_a_reader_who_has_nothing_yet() -> None:
    view = new_view()
    view.take("first piece, ")
    view.take("second \x1b[31mpiece")
    text = drawn(view)
    assert "streamed" in text
    assert "first piece, second" in text
    assert "\x1b" not in text
    assert "nothing yet, after" in text


def test_another_attempt_begins_anew() -> None:
    view = new_view()
    view.take("lost")
    view.begin()
    assert "lost" not in drawn(view)


def test_the_newest_text_is_shown_on_a_narrow_terminal() -> None:
    view = new_view()
    view.take(" ".join(f"piece_{number}" for number in range(200)))
    assert "piece_199 " in drawn(view)


def test_a_buffering_reader_gets_the_answer_at_its_end() -> None:
    view = new_view()
    view.take("all of it")
    assert drawn(view).count("all of it") == 1
    view.end()
    assert drawn(view).count("all of it") == 2
    assert "nothing yet" not in drawn(view)


def test_only_a_terminal_is_drawn_on() -> None:
    quiet, terminal = StringIO(), StringIO()
    with LiveView(Console(file=quiet)) as view:
        view.take("a piece")
    with LiveView(Console(file=terminal, force_terminal=True)) as view:
        view.take("a piece")
    assert quiet.getvalue() == ""
    assert "a piece" in terminal.getvalue()


async def test_the_pieces_of_the_answer_arrive_at_the_view() -> None:
    async with FakeAnthropic(lambda _: Answer()) as fake:
        keys = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        settings = load(env=keys, model="claude-sonnet-5-5", verify=False)
        view = new_view()
        await review_live(demo_or_file(None, settings), view)
    assert drawn(view).count('"findings"') == 2
