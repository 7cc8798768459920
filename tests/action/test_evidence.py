"""The verifier in the Action sees code beyond the diff, for few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.github_stories import titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

FILLING = "".join(f"    x{number} = {number}\n" for number in range(1, 40))
USE = f"from .tax import rate_of\n\n\ndef charge(order):\n{FILLING}    return 1\n"
NEW = USE.replace("return 1", "return rate_of(order)  # BUG error Crash in `rate_of`")
TAX = "def rate_of(order):\n    return order.rate\n"
CONFIG = {".reviewbot.yml": "summary: false\nverify: true\n"}
BASE = CONFIG | {"shop/use.py": USE, "shop/tax.py": TAX}


def fetched(github: FakeGitHub) -> list[str]:
    """The files of the head that were asked for."""
    paths = [one.path.rpartition("/contents/")[2] for one in github.called("GET", "/contents/")]
    return [path for path in paths if not path.startswith(".")]


async def test_the_function_and_an_imported_definition_are_evidence(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"shop/use.py": NEW})
    await runner.run(pull)
    (request,) = model.verifications
    block = request.text.partition("<findings_to_verify>")[2]
    assert '=== file "shop/use.py", modified\n--- hunk\nR4 |def charge(order):' in block
    assert '=== file "shop/tax.py", unchanged\n--- hunk\nR1 |def rate_of(order):' in block
    assert fetched(github) == ["shop/use.py", "shop/tax.py"]
    assert len(titles(pull)) == 1


async def test_a_review_without_findings_fetches_no_imported_file(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    clean = NEW.replace("  # BUG error Crash in `rate_of`", "")
    pull = github.pull(base=BASE, head=BASE | {"shop/use.py": clean})
    await runner.run(pull)
    assert not model.verifications
    assert fetched(github) == ["shop/use.py"]
