"""Streams: the times of the frames are those of the study."""

from __future__ import annotations

import pytest

from reviewbot.lab.stream import Frame, Recording, model_events, study_stream
from reviewbot.models.base import Stop, Stopped
from tests.fake_anthropic import Answer, StreamError
from tests.fake_anthropic.replies import finding
from tests.support.lab_studies import frames_of, recording


def of(answer: Answer) -> Recording:
    return Recording("m", "s", frames_of(answer, first=1, pace=1))


def test_a_finding_arrives_with_the_frame_that_closes_it() -> None:
    study = study_stream(of(Answer([finding(title="One"), finding(title="Two")], delta_size=10)))
    assert [one.text for one in study.findings] == ["One", "Two"]
    text = ""
    ends: list[float] = []
    for piece in study.pieces:
        text += piece.text
        if len(ends) < text.count("}"):
            ends.append(piece.at)
    assert [one.at for one in study.findings] == ends[:2]
    assert study.first_event == 1
    assert study.first_text == study.pieces[0].at == 3
    assert study.end == len(study.recording.frames)


def test_the_rate_is_that_of_the_reported_output_after_the_first_text() -> None:
    study = study_stream(of(Answer([finding()], usage={"input_tokens": 5, "output_tokens": 1})))
    assert study.is_counted
    assert study.first_text is not None
    assert study.per_second == study.output / (study.end - study.first_text)


def test_without_usage_the_output_is_estimated() -> None:
    study = study_stream(of(Answer([finding()], usage={})))
    assert not study.is_counted
    assert study.output == sum(len(one.text) for one in study.pieces) // 4
    assert dict(study.figures)["output tokens"].endswith("(estimated)")


def test_a_thought_is_timed_until_the_report() -> None:
    assert study_stream(of(Answer([finding()], thinking="Hm"))).thought == 5


def test_an_answer_without_a_report_has_no_rate() -> None:
    study = study_stream(of(Answer(call=False, preamble="Fine.")))
    assert (study.first_text, study.per_second, study.findings) == (None, None, ())


def test_a_broken_report_keeps_its_findings_and_its_end() -> None:
    text = '{"findings": [{"title": "One"}], "findings": [}'
    study = study_stream(of(Answer(report=text, delta_size=8)))
    assert [one.text for one in study.findings] == ["One"]
    assert study.end == len(study.recording.frames)


def test_an_error_of_the_server_ends_the_answer() -> None:
    study = study_stream(of(Answer([finding(title="One")], error=StreamError())))
    assert [one.text for one in study.findings] == ["One"]


def test_the_last_event_is_the_end_of_the_answer() -> None:
    assert list(model_events(recording().frames))[-1][1] == Stopped(Stop.COMPLETE)


def test_a_recording_needs_frames() -> None:
    with pytest.raises(ValueError, match="needs frames"):
        study_stream(Recording("m", "s", ()))


def test_pings_are_not_events_of_the_answer() -> None:
    frames = (Frame(0, "ping", '{"type": "ping"}'), *recording().frames)
    assert list(model_events(frames)) == list(model_events(recording().frames))
