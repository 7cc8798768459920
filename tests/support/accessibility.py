"""Checks of the accessibility of a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}

DRAWN: Final = (
    "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
)
"""Waits until the page was drawn anew: before, some colours are still those of the other scheme."""

CONTRAST: Final = """() => {
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const paint = (colours) => {
        context.clearRect(0, 0, 1, 1);
        for (const colour of colours) {
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
        }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => {
        const [red, green, blue] = rgb.map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const poor = new Map();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (!text || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
        if (element.closest(".sr-only, :disabled, option, .skip-link")) continue;
        if (getComputedStyle(element).clipPath !== "none") continue;
        const behind = [];
        for (let one = element; one; one = one.parentElement) {
            behind.unshift(getComputedStyle(one).backgroundColor);
        }
        const style = getComputedStyle(element);
        const ground = light(paint(behind));
        const ink = light(paint([...behind, style.color]));
        const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5)) {
            const name = element.tagName.toLowerCase() + "." + element.className;
            poor.set(name, `${name} ${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
        }
    }
    return [...poor.values()];
}"""

"""Texts of poor contrast. axe leaves out code, since it scrolls below other elements."""

AXE: Final = f"""async () => {{
    {AXE_SCRIPT}
    const found = await axe.run(document, {{ resultTypes: ["violations"] }});
    return found.violations.flatMap(({{ id, nodes }}) => nodes.map(({{ html }}) => [id, html]));
}}"""
"""Violations that axe-core finds, each with its rule and its element."""

STRUCTURE: Final = """() => {
    const wrong = [];
    const seen = (element) => element.checkVisibility({ checkVisibilityCSS: true });
    const ids = new Set();
    for (const { id } of document.querySelectorAll("[id]")) {
        if (ids.has(id)) wrong.push(`id ${id} twice`);
        ids.add(id);
    }
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
        for (const element of document.querySelectorAll(`[${name}]`)) {
            for (const id of element.getAttribute(name).split(" ")) {
                if (!ids.has(id)) wrong.push(`${name} leads to ${id}, which is not there`);
            }
        }
    }
    const h1 = [...document.querySelectorAll("h1")].filter(seen);
    if (h1.length !== 1) wrong.push(`${h1.length} h1`);
    for (const group of document.querySelectorAll("[role=group]")) {
        if (!group.matches("[aria-label], [aria-labelledby]")) wrong.push(group.outerHTML);
    }
    for (const element of document.querySelectorAll("[style]")) {
        // Set by script, for what has no colour: the height of what is not made yet.
        if (!element.matches(".segment")) wrong.push(`style on ${element.outerHTML.slice(0, 80)}`);
    }
    const nested = "a a, button button, a button, button a, summary button, summary a";
    for (const inner of document.querySelectorAll(nested)) {
        wrong.push(`a control in a control: ${inner.outerHTML.slice(0, 80)}`);
    }
    return wrong;
}"""
"""Faults that axe does not report, or not all of them."""

NAMED: Final = (
    *("button", "link", "textbox", "searchbox", "combobox", "checkbox", "progressbar"),
    "spinbutton",
    "dialog",
    "region",
    "complementary",
    "navigation",
    "article",
)


def assert_accessible(page: Page) -> None:
    """Names, roles, order and contrast of everything that is shown, in both themes."""
    assert_readable(page)
    assert page.evaluate(STRUCTURE) == []
    roles = [line.strip().removeprefix("- ") for line in page.aria_snapshot().splitlines()]
    seen = [role for role in roles if role.split(" ")[0].rstrip(":") in NAMED]
    assert {"button", "link"} <= {role.split(" ")[0] for role in seen}
    assert [role for role in seen if not re.match(r'\w+ "', role)] == []


def assert_readable(page: Page) -> None:
    """Contrast in both themes, and what axe finds on a light desktop and on a dark phone."""
    assert_contrast(page)
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size(PHONE)
    page.evaluate(DRAWN)
    assert page.evaluate(AXE) == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
    page.evaluate(DRAWN)
    assert page.evaluate(AXE) == []


def assert_contrast(page: Page) -> None:
    """Contrast of all texts in both themes: WCAG 2.2, 1.4.3. The dark one is left."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.evaluate(DRAWN)
        assert page.evaluate(CONTRAST) == []
