"""Pictures of a page for the documentation.

python -m scripts.screenshots results/report docs
"""

import shutil
from io import BytesIO
from pathlib import Path

import typer
from PIL import Image
from playwright.sync_api import sync_playwright

PAGE = typer.Argument(Path("results/report"))
DOCS = typer.Argument(Path("docs"))

OPEN_BOXES = """() => {
    const set = document.querySelector("#set");
    const boxes = [...set.options].find(option => option.text === "m3fd");
    if (boxes) { set.value = boxes.value; set.dispatchEvent(new Event("change")); }
    for (const input of document.querySelectorAll("#overlays input")) input.checked = true;
    document.querySelector("#overlays").dispatchEvent(new Event("change"));
}"""


def main(page: Path = PAGE, folder: Path = DOCS) -> None:
    """Write `report-light.webp` and `report-dark.webp`, the second with boxes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            viewport = {"width": 1280, "height": 1500 if scheme == "light" else 1300}
            tab = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
            tab.goto((page.resolve() / "index.html").as_uri())
            if scheme == "dark":
                tab.evaluate(OPEN_BOXES)
                tab.locator("#strip").evaluate("strip => strip.scrollIntoView()")
            tab.wait_for_load_state("networkidle")
            tab.wait_for_timeout(800)  # smooth scrolling ends
            with Image.open(BytesIO(tab.screenshot())) as picture:
                picture.convert("RGB").save(folder / f"report-{scheme}.webp", quality=88)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
