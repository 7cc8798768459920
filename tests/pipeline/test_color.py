"""Colour follows the flag, then the environment, then the stream."""

import io

import pytest

from reviewbot.pipeline.color import (
    ColorChoice,
    ColorSystem,
    color_system,
    make_console,
    with_escapes,
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


PIPE, TERMINAL = io.StringIO(), Terminal()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("choice", "environment", "stream", "expected"),
    [
        ("auto", {}, PIPE, None),
        ("auto", {}, TERMINAL, "auto"),
        ("auto", {"NO_COLOR": "1"}, TERMINAL, None),
        ("auto", {"NO_COLOR": ""}, TERMINAL, "auto"),
        ("auto", {"FORCE_COLOR": "1"}, PIPE, "standard"),
        ("auto", {"CLICOLOR_FORCE": "1"}, PIPE, "standard"),
        ("auto", {"CLICOLOR_FORCE": "0"}, PIPE, None),
        ("auto", {"CLICOLOR_FORCE": "0"}, TERMINAL, "auto"),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, PIPE, None),
        ("always", {}, PIPE, "standard"),
        ("always", {"NO_COLOR": "1"}, PIPE, "standard"),
        ("never", {}, TERMINAL, None),
        ("never", {"FORCE_COLOR": "1"}, TERMINAL, None),
    ],
)
def test_a_flag_precedes_the_environment_which_precedes_the_stream(
    choice: ColorChoice,
    environment: dict[str, str],
    stream: io.StringIO,
    expected: ColorSystem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert color_system(choice, stream) == expected


@pytest.mark.parametrize("name", ["NO_COLOR", "TERM"])
def test_escape_sequences_do_not_depend_on_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "dumb")
    assert with_escapes([(("error", "bold red"), (": [x] :a:", ""))]) == (
        "\x1b[1;31merror\x1b[0m: [x] :a:\n"
    )


def test_a_console_without_colour_writes_no_escape_sequence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = Terminal()
    make_console(stream, None).print("error", style="bold red")
    assert stream.getvalue() == "error\n"
