"""The verifier in the App sees code beyond the diff, for few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.github.app_runs import app_server
from tests.support.github_stories import titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub

FILLING = "".join(f"    x{number} = {number}\n" for number in range(1, 40))
USE = f"from .tax import rate_of\n\n\ndef charge(order):\n{FILLING}    return 1\n"
NEW = USE.replace("return 1", "return rate_of(order)  # BUG error Crash in `rate_of`")
BASE = {"shop/use.py": USE, "shop/tax.py": "def rate_of(order):\n    return order.rate\n"}


async def test_the_function_and_an_imported_definition_are_evidence(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, verify=True) as server:
        pull = github.pull(base=BASE, head=BASE | {"shop/use.py": NEW})
        await server.settle()
    (request,) = model.verifications
    block = request.text.partition("<findings_to_verify>")[2]
    assert '=== file "shop/use.py", modified\n--- hunk\nR4 |def charge(order):' in block
    assert '=== file "shop/tax.py", unchanged\n--- hunk\nR1 |def rate_of(order):' in block
    asked = [one.path.rpartition("/contents/")[2] for one in github.called("GET", "/contents/shop")]
    assert asked == ["shop/use.py", "shop/tax.py"]
    assert len(titles(pull)) == 1
