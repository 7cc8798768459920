"""Responses with the pages of the set-up: rendered templates under a strict policy.

The templates are separate from the files of the page, since they are useless without values.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse

from reviewbot.core.safety.escape import show

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.responses import Response

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action {form_action}"
)
"""Policy of a page (W3C, "Content Security Policy Level 3"): no script, at most one form."""
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def page(
    name: str,
    *,
    root: str,
    status: int = 200,
    form_action: str = "'none'",
    **values: Any,  # noqa: ANN401 - values of the template
) -> Response:
    """Return the page ``templates/github_setup_<name>.html``.

    Args:
        name: name of the template.
        root: relative path from the page to the folder of the style sheet, since a proxy may have
            added a prefix to both.
        status: status of the response.
        form_action: where the page may send a form.
        **values: values of the template, which escapes each of them.
    """
    text = _templates().get_template(f"github_setup_{name}.html").render(root=root, **values)
    policy = {"Content-Security-Policy": POLICY.format(form_action=form_action)}
    return HTMLResponse(text, status_code=status, headers={**HEADERS, **policy})


def error_page(status: int, sentence: str, *, root: str, again: bool) -> Response:
    """Return a page with the reason why the set-up does not continue.

    Args:
        status: status of the response.
        sentence: the reason and the remedy; may quote untrusted text.
        root: as for :func:`page`.
        again: whether the set-up can be started again.
    """
    return page("sorry", status=status, root=root, sentence=show(sentence), again=again)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("reviewbot.server", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
