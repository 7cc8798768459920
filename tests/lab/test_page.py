"""The page: self-contained, and nothing of a diff is more than text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from reviewbot.lab.page import render_page
from reviewbot.lab.stream import study_stream
from tests.support.lab_studies import recording, review, studies, turns

HOSTILE = """</script><img src=x onerror=alert(1)>"'&\u202e{{ 7 * 7 }}"""


class _Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def parsed(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    return tags


def hostile_page() -> str:
    study = review()
    finding = replace(study.steps[0].finding, title=HOSTILE, path=HOSTILE, quote=HOSTILE)
    steps = (replace(study.steps[0], finding=finding, anchor=HOSTILE, reason=HOSTILE),)
    made = replace(
        studies(name=HOSTILE, shown=HOSTILE),
        review=replace(study, steps=steps, source=HOSTILE),
        stream=study_stream(recording(HOSTILE)),
        turns=turns(HOSTILE),
    )
    return render_page(made)


def test_hostile_text_adds_no_tag_and_no_attribute() -> None:
    calm = parsed(render_page(replace(studies(), stream=study_stream(recording("First")))))
    hostile = parsed(hostile_page())
    assert {tag for tag, _ in hostile.tags} == {tag for tag, _ in calm.tags}
    assert not any(name.startswith("on") for _, names in hostile.tags for name in names)
    assert "img" not in {tag for tag, _ in hostile.tags}


def test_hostile_text_is_shown_as_it_is_and_hidden_characters_are_visible() -> None:
    page = hostile_page()
    assert "{{ 7 * 7 }}" in page
    assert "\u202e" not in page
    assert "\\u202e" in page


def test_the_data_of_the_page_cannot_end_its_script() -> None:
    page = hostile_page()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert json.loads(data)["stream"]["findings"][0][1].startswith("</script>")


def test_the_policy_admits_only_the_style_and_the_script_of_the_page() -> None:
    page = render_page(studies())
    (policy,) = [
        names["content"]
        for tag, names in parsed(page).tags
        if tag == "meta" and names.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    for kind in ("style", "script"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")


def test_the_page_names_no_other_address() -> None:
    page = render_page(studies())
    targets = [
        value
        for _, names in parsed(page).tags
        for name, value in names.items()
        if name in ("src", "href", "action", "data")
    ]
    assert targets
    assert all(value is not None and value.startswith("#") for value in targets)
    assert "url(" not in page


def test_a_long_text_is_cut_with_a_count() -> None:
    made = studies()
    long = replace(made.prompt, body="x" * 50_000)
    assert "[CUT 30000 characters]" in render_page(replace(made, prompt=long))


def test_one_thing_is_not_counted_as_several() -> None:
    made = studies()
    one = replace(made, cost=replace(made.cost, findings=1), tokens=replace(made.tokens, more=1))
    page = render_page(one)
    assert "1 finding in four forms" in page
    assert "and 1 more line<" in page
