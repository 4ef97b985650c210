"""The page of a run and pytest-html's report, opened, sorted, folded, searched and copied from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PROFILES, Open, Reports

LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
SERIOUS = ("serious", "critical")
FAULTS = """async (options) => {
  const found = await axe.run(options.within || document, {});
  return found.violations.map((one) => [one.impact, one.id, one.nodes.map((n) => n.html)]);
}"""


def faults(page: Any, axe: str, within: str = "") -> list[Any]:
    """What axe-core finds that keeps somebody from reading the page."""
    page.evaluate(f"() => {{ {axe} }}")
    found = page.evaluate(FAULTS, {"within": within})
    return [one for one in found if one[0] in SERIOUS]


@pytest.mark.parametrize("look", LOOKS)
def test_the_field_at_fault_is_on_the_first_screen(
    open_page: Open, reports: Reports, artifacts: Path, look: str
) -> None:
    page = open_page(reports.page, **LOOKS[look]).page

    page.screenshot(path=artifacts / f"page-{look}.png")
    page.screenshot(path=artifacts / f"page-{look}-whole.png", full_page=True)
    field = page.get_by_text("temperature = 0.5").first
    box = field.bounding_box()
    size = page.viewport_size
    assert box is not None and size is not None
    assert box["y"] + box["height"] <= size["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_the_failing_request_stands_beside_the_one_that_works(
    open_page: Open, reports: Reports, artifacts: Path
) -> None:
    page = open_page(reports.page).page

    page.get_by_role("link", name="sim:rejects-temperature").first.click()
    compared = page.locator(".compare").first
    compared.scroll_into_view_if_needed()
    page.screenshot(path=artifacts / "page-failure.png")

    cells = [cell.inner_text().strip() for cell in compared.locator("tbody td").all()]
    assert cells == ["temperature", "0.5", "(not sent)"]


def test_a_click_on_a_heading_sorts(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.page).page
    names = page.locator("#profiles tbody th bdi:first-child")

    def shown() -> list[str]:
        return [name.inner_text() for name in names.all() if "/" not in name.inner_text()]

    assert shown() == list(PROFILES)
    heading = page.locator("#profiles thead th").first
    heading.get_by_role("button").click()
    assert shown() == sorted(PROFILES)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert shown() == sorted(PROFILES, reverse=True)
    page.locator("#profiles thead th").last.get_by_role("button").click()
    seconds = [
        float(cell.get_attribute("data-value") or "nan")
        for cell in page.locator("#profiles tbody td:last-child").all()
    ]
    assert seconds == sorted(seconds)


def test_everything_folds_by_keyboard_and_at_once(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.page).page
    piece = page.locator("details.piece").first

    piece.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert piece.get_attribute("open") is not None
    page.get_by_role("button", name="Unfold all").click()
    pieces = page.locator("details.piece").count()
    assert page.locator("details.piece[open]").count() == pieces > 10
    page.get_by_role("button", name="Fold all").click()
    assert page.locator("details.piece[open]").count() == 0


def test_a_search_hides_what_does_not_match(open_page: Open, reports: Reports) -> None:
    from playwright.sync_api import expect

    page = open_page(reports.page).page
    status = page.locator("#status")
    page.get_by_role("searchbox").fill("bad-key")
    expect(status).to_contain_text("parts match")
    rows = page.locator("#profiles tbody tr:visible")
    assert rows.count() == 1
    assert page.locator("article.profile:visible").count() == 1
    page.get_by_role("searchbox").fill("no such words at all")
    expect(status).to_contain_text("0 of")
    assert rows.count() == 0
    page.get_by_role("searchbox").fill("")
    expect(status).to_be_empty()
    assert rows.count() == len(PROFILES)


def test_settings_and_commands_can_be_copied(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.page).page

    page.get_by_role("button", name="Copy: in code").first.click()

    assert page.evaluate("navigator.clipboard.readText()") == "LLM(..., temperature=None)"
    assert page.locator("#status").inner_text() == "Copied"
    page.get_by_role("button", name="Copy: run it again").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("pytest --llm-profile=sim:rejects-temperature ")


def test_json_unfolds_level_by_level(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.page).page
    exchange = page.locator("details.piece", has_text="HTTP 400").last

    exchange.locator("summary").first.click()

    assert exchange.get_by_text("temperature:").first.is_visible()
    assert not exchange.get_by_text("user-agent:").first.is_visible()
    exchange.get_by_text("Headers").click()
    assert exchange.get_by_text("user-agent:").first.is_visible()


def test_it_can_be_read_without_javascript(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.page, java_script_enabled=False).page

    assert page.get_by_text("temperature = 0.5").first.is_visible()
    assert not page.get_by_role("searchbox").is_visible()
    assert page.get_by_role("button").count() == 0
    summary = page.locator("details.piece summary").first
    summary.click()
    assert page.locator("details.piece ul").first.is_visible()


def test_it_prints(open_page: Open, reports: Reports, artifacts: Path) -> None:
    page = open_page(reports.page, color_scheme="dark").page

    page.emulate_media(media="print")
    page.pdf(path=artifacts / "page.pdf")

    assert not page.get_by_role("searchbox").is_visible()
    assert (artifacts / "page.pdf").stat().st_size > 10_000


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_serious_fault(open_page: Open, reports: Reports, axe: str, look: str) -> None:
    # The page's own policy would keep axe out; what is tested is the same.
    page = open_page(reports.page, bypass_csp=True, **LOOKS[look]).page
    assert faults(page, axe) == []
    page.get_by_role("button", name="Unfold all").click()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")

    assert faults(page, axe) == []


def test_the_report_of_pytest_html_has_columns_and_capsules(
    open_page: Open, reports: Reports, artifacts: Path
) -> None:
    page = open_page(reports.html).page

    page.screenshot(path=artifacts / "pytest-html.png", full_page=True)
    heads = [head.inner_text().strip() for head in page.locator("#results-table-head th").all()]
    assert heads[1:4] == ["Stage", "Profile", "Diagnosis"]
    failed = page.locator("#results-table tbody", has_text="sim:content-list").first
    capsule = failed.locator("details.ohllm-capsule")
    capsule.locator("summary").first.click()
    assert capsule.get_by_text("because").first.is_visible()
    talk = capsule.locator("details", has_text="conversation")
    talk.locator("summary").click()
    assert talk.locator("pre").is_visible()


def test_the_report_of_pytest_html_sorts_by_our_columns(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.html).page

    page.locator("#results-table-head th", has_text="Profile").click()

    shown = [cell.inner_text() for cell in page.locator("td.col-profile").all()]
    assert shown in (sorted(shown), sorted(shown, reverse=True))
    assert set(shown) == set(PROFILES)


def test_our_part_of_pytest_html_has_no_serious_fault(
    open_page: Open, reports: Reports, axe: str
) -> None:
    page = open_page(reports.html).page

    assert faults(page, axe, ".ohllm") == []


def test_the_report_of_pytest_html_leads_to_the_page(open_page: Open, reports: Reports) -> None:
    page = open_page(reports.html).page

    page.get_by_role("link", name="The whole run").click()

    assert page.url == reports.page.as_uri()
    assert page.get_by_role("heading", name="2 of 4 profiles work").is_visible()
