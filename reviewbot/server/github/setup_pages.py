"""The pages of the set-up as answers: templates filled in, under a policy that lets little in.

They are not among the files of the page, since they are nothing without what is filled in.
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
"""What a page may do (W3C, "Content Security Policy Level 3"): no script, and at most one form."""
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def page(
    name: str,
    *,
    root: str,
    status: int = 200,
    form_action: str = "'none'",
    **values: Any,  # noqa: ANN401 - what the template needs
) -> Response:
    """Return the page ``templates/github_setup_<name>.html``.

    Args:
        name: of the template.
        root: leads from the address of the page to that of the style sheet: a proxy may have put
            something before both.
        status: of the answer.
        form_action: where the page may send a form.
        **values: what is filled in; all of it is text.
    """
    text = _templates().get_template(f"github_setup_{name}.html").render(root=root, **values)
    policy = {"Content-Security-Policy": POLICY.format(form_action=form_action)}
    return HTMLResponse(text, status_code=status, headers={**HEADERS, **policy})


def error_page(status: int, sentence: str, *, root: str, again: bool) -> Response:
    """Return a page that says why it does not go on.

    Args:
        status: of the answer.
        sentence: why, and what to do. It may quote a stranger.
        root: as for :func:`page`.
        again: whether the set-up can be begun once more.
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
