"""The page in a real browser."""

import shutil

import numpy as np
import pytest

from pipelines.report.board import Board
from pipelines.report.costs import RowCost
from pipelines.report.page.figures import figures
from pipelines.report.tables import assess
from tests.pipelines.report import boards
from tests.pipelines.report.page.pages import HOSTILE, METHODS, write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return (write_page(folder / "page", folder / "inputs") / "index.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page; afterwards: no message, no error, no request but for files."""
    contexts, wrong = [], []

    def watch(request):
        if not request.url.startswith(("file:", "data:")):
            wrong.append(request.url)

    def visit(width=1280, scheme="light", fragment="", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", watch)
        page.on("requestfailed", lambda request: wrong.append(f"failed {request.url}"))
        page.goto(address + fragment)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def methods(page):
    return page.eval_on_selector_all(
        ".board tbody tr", "rows => rows.filter(r => !r.hidden).map(r => r.dataset.method)"
    )


def scene(page):
    return page.inner_text("#scene").split(" (")[0]


def test_a_column_is_sorted_in_both_directions(visit):
    page = visit()
    head = page.get_by_role("button", name="m3fd mAP@0.5", exact=True)
    assert methods(page) == list(METHODS)
    head.click()
    assert methods(page) == [HOSTILE, "average", "visible"]
    head.click()
    assert methods(page) == ["visible", "average", HOSTILE]
    cost = page.get_by_role("button", name="ms", exact=True)
    cost.click()
    assert methods(page)[-1] == HOSTILE, "a row without a value is last"


def test_rows_are_filtered_and_columns_hidden(visit):
    page = visit()
    page.fill("#filter", "VIS")
    assert methods(page) == ["visible"]
    page.locator("#table-tools label", has_text="Cost").click()
    assert page.locator(".groups th", has_text="Cost").is_hidden()
    assert page.locator(".groups th", has_text="Tasks").is_visible()


def test_a_value_tells_what_is_known_of_it_by_mouse_and_by_keyboard(visit):
    page = visit()
    page.hover('tr[data-method="average"] td[data-group="0"]')
    assert "training seeds 0, 1" in page.inner_text("#detail")
    page.focus('tr[data-method="visible"] td[tabindex="0"]')
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#detail").startswith("average")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("LaTeX", [r"\toprule", r"\textbf{", r"\underline{", r"\cmidrule(lr){2-4}"]),
        ("CSV", ["method,Tasks: m3fd mAP@0.5", f"{HOSTILE},0.6"]),
        ("Markdown", ["| method |", "**0."]),
    ],
)
def test_the_table_is_copied_as_shown(visit, form, expected):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=form).click()
    page.wait_for_selector("#toast.on, #copied[open]")
    copied = page.evaluate("navigator.clipboard.readText()")
    for part in expected:
        assert part in copied
    if form == "LaTeX":
        lines = [line for line in copied.splitlines() if line.endswith(r"\\")]
        assert len({line.count("&") for line in lines[1:]}) == 1


def test_an_image_is_found_opened_and_linked(visit):
    page = visit()
    page.fill("#find", "0001")
    assert page.locator("#strip button").count() == 2
    page.fill("#find", "")
    page.locator("#strip button", has_text="00002").click()
    assert scene(page) == "00002"
    page.locator("#next").press("ArrowLeft")
    assert scene(page) == "00001"
    fragment = page.evaluate("location.hash")
    assert scene(visit(fragment=fragment)) == "00001"


def test_images_are_ordered_by_what_one_method_loses_to_another(visit):
    page = visit()
    page.select_option("#metric", "MSE")
    page.select_option("#of", label="average")
    page.select_option("#less", label="visible")
    data = page.evaluate("JSON.parse(document.querySelector('script.gallery').textContent)")
    visible, average = data["metrics"]["MSE"][0], data["metrics"]["MSE"][1]
    losses = [a - v for a, v in zip(average, visible, strict=True)]  # lower is better
    worst = data["scenes"][losses.index(max(losses))]["n"]
    assert scene(page) == worst
    page.select_option("#order", "best")
    assert scene(page) == data["scenes"][losses.index(min(losses))]["n"]


def test_the_slider_is_moved_by_keyboard(visit):
    page = visit()
    page.focus("#slider")
    cut = "getComputedStyle(document.querySelector('#stage')).getPropertyValue('--cut')"
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate(cut) == "47%"
    clip = "getComputedStyle(document.querySelector('#stage .top')).clipPath"
    assert "47%" in page.evaluate(clip)


def test_modes_show_the_other_image_and_the_difference(visit):
    page = visit(reduced_motion="reduce")
    page.locator("#modes label", has_text="Blink").click()
    shown = "document.querySelector('#stage').dataset.shown"
    page.wait_for_timeout(900)
    assert page.evaluate(shown) == "right", "nothing blinks where the reader wants no motion"
    page.click("#flip")
    assert page.evaluate(shown) == "left"
    page.locator("#modes label", has_text="Difference").click()
    blend = "getComputedStyle(document.querySelector('#stage .top')).mixBlendMode"
    assert page.evaluate(blend) == "difference"


def test_two_panes_zoom_and_move_together(visit):
    page = visit()
    pane = page.locator("#grid .window").nth(2)
    pane.scroll_into_view_if_needed()
    pane.dblclick(position={"x": 10, "y": 10})
    transforms = """[...document.querySelectorAll('#grid .view')].map(view => {
        const m = new DOMMatrix(getComputedStyle(view).transform);
        return [m.a, m.e, m.f].map(value => value.toFixed(1)).join();
    })"""
    zoomed = page.evaluate(transforms)
    assert len(set(zoomed)) == 1
    assert zoomed[0].startswith("2.0,")
    box = pane.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 40)
    page.mouse.up()
    moved = page.evaluate(transforms)
    assert len(set(moved)) == 1
    assert moved != zoomed
    assert page.locator("#grid .view > img").first.get_attribute("src").startswith("images/")
    page.click("#zoom-reset")
    assert page.evaluate(transforms)[0] == "1.0,0.0,0.0"


def on_a_phone(visit):
    """The page on a touch screen, the browser's session, and where the third image is."""
    page = visit(width=375, has_touch=True, is_mobile=True)
    pane = page.locator("#grid .window").nth(2)
    pane.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    return page, page.context.new_cdp_session(page), pane.bounding_box()


def touch(session, kind, *points):
    """Fingers on the screen, as the browser's own input."""
    places = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


def test_two_fingers_zoom_and_move_all_views_and_do_not_scroll_the_page(visit):
    page, session, box = on_a_phone(visit)
    scrolled = page.evaluate("scrollY")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(session, "touchStart", (x - 10, y))
    touch(session, "touchStart", (x - 10, y), (x + 10, y))
    for spread in (14, 18, 22, 26, 30):
        touch(session, "touchMove", (x - spread, y), (x + spread, y))
    views = "[...document.querySelectorAll('#grid .view, #stage .view')]"
    transform = "new DOMMatrix(getComputedStyle(view).transform)"
    zooms = page.evaluate(f"{views}.map(view => {transform}.a.toFixed(2))")
    assert set(zooms) == {"3.00"}
    left = f"{views}.map(view => ({transform}.e / view.clientWidth).toFixed(2))"
    assert set(page.evaluate(left)) == {"-1.00"}, "what is between the fingers stays there"
    touch(session, "touchMove", (x - 30 + 15, y), (x + 30 + 15, y))
    moved = -1 + 15 / box["width"]
    assert float(page.evaluate(left)[0]) == pytest.approx(moved, abs=0.02)
    touch(session, "touchEnd")
    touch(session, "touchStart", (x, y))
    touch(session, "touchMove", (x, y + 10))
    touch(session, "touchMove", (x, y + 20))
    touch(session, "touchEnd")
    down = f"{transform.replace('view)', views + '[0])')}.f"
    assert page.evaluate(down) > page.evaluate(f"-{views}[0].clientHeight") + 5
    assert page.evaluate("scrollY") == scrolled
    assert page.evaluate("visualViewport.scale") == 1


def test_one_finger_scrolls_the_page_where_nothing_is_zoomed(visit):
    page, session, box = on_a_phone(visit)
    scrolled = page.evaluate("scrollY")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(session, "touchStart", (x, y))
    for down in (20, 40, 60, 80):
        touch(session, "touchMove", (x, y + down))
    touch(session, "touchEnd")
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") < scrolled


def test_the_values_of_the_two_images_are_side_by_side_the_better_bold(visit):
    page = visit()
    page.select_option("#left", label="average")
    page.select_option("#right", label="visible")
    heads = page.locator("#pair thead th").all_inner_texts()
    assert heads == ["average", "visible"]
    for row in page.locator("#pair tbody tr").all():
        name = row.locator("th").inner_text()
        values = [float(text) for text in row.locator("td").all_inner_texts()]
        bold = float(row.locator("b").inner_text())
        assert bold == (min(values) if name == "MSE ↓" else max(values))
    page.select_option("#left", label="source: visible")
    assert page.locator("#pair thead th").all_inner_texts() == ["visible"]


def test_boxes_of_hits_misses_and_false_alarms_can_be_switched_on(visit):
    page = visit()
    page.select_option("#set", label="m3fd")
    fused = page.locator("#grid .pane").nth(2)
    assert fused.locator("rect").count() == 0
    page.locator("#overlays label", has_text="Detections").click()
    counts = {kind: fused.locator(f"rect.{kind}").count() for kind in ("hit", "alarm", "miss")}
    assert counts == {"hit": 1, "alarm": 1, "miss": 1}
    assert fused.locator(".hit-text").text_content() == "People 90 %"
    assert "false alarm" in page.inner_text("#legend")
    page.locator("#overlays label", has_text="Truth").click()
    assert page.locator("#grid .pane").first.locator("rect.truth").count() == 2


def test_labels_and_their_errors_can_be_switched_on(visit):
    page = visit()
    fused = page.locator("#grid .pane").nth(2)
    for overlay, files in (("Predicted labels", 1), ("Label errors", 2)):
        page.locator("#overlays label", has_text=overlay).click()
        assert fused.locator('img[src^="labels/"]').count() == files
    page.wait_for_load_state("networkidle")
    assert fused.locator("img").last.evaluate("image => image.naturalWidth") == 128
    assert "car" in page.inner_text("#legend")


def test_a_method_of_the_table_leads_to_its_images(visit):
    page = visit()
    page.get_by_role("button", name="average", exact=True).click()
    assert page.inner_text("#stage .name.right") == "average"


def test_names_are_text_whatever_they_contain(visit):
    page = visit()
    assert page.title() == f"Report {HOSTILE}"
    assert page.locator(".board tbody th").last.inner_text().strip() == HOSTILE
    assert HOSTILE in page.inner_text("#stage .name.right")
    assert HOSTILE in page.inner_text("#method")
    assert page.evaluate("[...document.scripts].every(s => !s.textContent.startsWith('alert'))")


def test_charts_of_many_methods_with_long_names_have_room_for_all_words(visit):
    names = [
        "visible",
        *(f"method_{index:02}_published" for index in range(21)),
        "method_of_many_words_" * 4,
    ]
    random = np.random.default_rng(0)
    scores = {
        name: boards.fusion({"EN": (random.random(30) + index / 9).tolist()})
        for index, name in enumerate(names)
    }
    costs = {name: RowCost(index, 1.0, 5.0 + index) for index, name in enumerate(names)}
    found = figures(assess(Board(names, {"msrs": scores}), costs))
    page = visit()
    charts = "".join(chart for figure in found for chart in figure.charts)
    page.evaluate("charts => { document.querySelector('#plots').innerHTML = charts; }", charts)
    outside = """[...document.querySelectorAll('svg.chart')].flatMap(svg => {
        const edge = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < edge.left || box.right > edge.right
                || box.top < edge.top || box.bottom > edge.bottom;
        }).map(text => text.textContent);
    })"""
    assert len(found) == 4
    assert page.evaluate(outside) == []
    overlapping = """[...document.querySelectorAll('svg.chart')].flatMap(svg => {
        const ticks = [...svg.querySelectorAll('text.tick:not(.halo)')];
        const boxes = ticks.map(text => text.getBoundingClientRect());
        return boxes.filter((a, i) => boxes.some((b, j) => j > i && a.left < b.right
            && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
    }).length"""
    assert page.evaluate(overlapping) == 0


def test_code_in_notes_is_code_and_names_stay_text(visit):
    page = visit()
    assert page.locator("#method .notes code").all_inner_texts() == [HOSTILE]


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_width_and_no_serious_rule_of_axe_is_broken(visit, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    shown = [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in serious]
    assert shown == []


def test_the_theme_is_chosen_and_kept(visit):
    page = visit()
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("#theme")
    page.click("#theme")
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark


def test_without_javascript_it_is_a_document_with_all_tables_and_images(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".board td:visible").count() == page.locator(".board td").count()
    assert page.locator(".static img:visible").count() == 2 * 2 * (2 + len(METHODS))
    assert page.locator("#browser").is_hidden()
    assert page.locator("svg.chart:visible").count() > 5
