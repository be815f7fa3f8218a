"""What a person needs of every step of a page, checked in the page itself."""

from pathlib import Path

from playwright.async_api import Page

from tests.peers.chromium import NARROW, PHONE

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build/screenshots"
_AA = 4.5  # WCAG 2.2, 1.4.3
_VIEWS = (("phone", PHONE, "light"), ("narrow", NARROW, "light"), ("dark", PHONE, "dark"))

# Texts whose contrast with what is behind them is less than asked for; all backgrounds are opaque or none.
_PALE = """
least => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = rgb(color).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (rgb(color)[3] !== 0) return color;
    }
  };
  const pale = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!(hasText || element.value) || !element.checkVisibility() || element.disabled) continue;
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < least) pale.push(`${element.tagName}#${element.id} "${element.textContent}": ${contrast}`);
  }
  return pale;
}
"""
# What a finger has to hit and is smaller than 44 px either way; a label's box belongs to its field.
_SMALL = """
() => [...document.querySelectorAll("button, input, textarea, summary")].flatMap((e) => {
  const { width, height } = (e.closest("label") ?? e).getBoundingClientRect();
  const isSmall = e.checkVisibility() && (width < 44 || height < 44);
  return isSmall ? [`${e.tagName}#${e.id}: ${width} x ${height}`] : [];
})
"""
_HEIGHT = "() => document.documentElement.scrollHeight"
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_NAMED = ("button", "textbox", "checkbox", "radio", "progressbar", "DisclosureTriangle", "list", "region")


async def inspect(page: Page, step: str) -> None:
    """Keep screenshots of a step, and fail where it is hard to see, to hit or to hear."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for view, size, scheme in _VIEWS:
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        # As high as the page: what is outside of the window, Chromium may not have painted yet.
        height = max(size["height"], await page.evaluate(_HEIGHT))
        await page.set_viewport_size({"width": size["width"], "height": height})
        await page.evaluate(_PAINTED)
        await page.screenshot(path=SCREENSHOTS / f"{step}-{view}.png")
        assert await page.evaluate(_PALE, _AA) == [], f"{step}, {view}: too little contrast"
        assert await page.evaluate(_SMALL) == [], f"{step}, {view}: too small for a finger"
        assert await page.evaluate(_TOO_WIDE) <= 0, f"{step}, {view}: wider than the window"
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await nameless(page) == [], f"{step}: a screen reader has no name for these"


async def nameless(page: Page) -> list[str]:
    """The roles of what Chromium's accessibility tree has that needs a name and has none."""
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    nodes = [node for node in tree["nodes"] if not node.get("ignored")]
    assert any(node["role"]["value"] == "main" for node in nodes)
    return [
        node["role"]["value"]
        for node in nodes
        if node["role"]["value"] in _NAMED and not node.get("name", {}).get("value")
    ]
