"""The page's files."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from fusion.core.errors import InputError
from fusion.images.decode import read_visible, write_image
from pipelines.report.page.images import THUMB_SIDE, ImageStore
from pipelines.report.page.render import PageFolder
from tests.pipelines.report.page.pages import HOSTILE, STEMS, write_page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return write_page(folder / "page", folder / "inputs")


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(page, tmp_path):
    again = content(write_page(tmp_path / "again", tmp_path / "inputs"))
    assert again == content(page)
    assert len(again) > 20


def test_it_names_no_file_elsewhere_and_no_address(page):
    html = (page / "index.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:|thumbs/|images/)[^"]*"', html)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}
    for file in re.findall(r'src="(thumbs/[^"]+)"', html):
        assert (page / file).is_file()


def test_every_image_of_the_data_lies_beside_the_page(page):
    html = (page / "index.html").read_text()
    galleries = re.findall(r'<script type="application/json" class="gallery">(.*?)</script>', html)
    data = [json.loads(text) for text in galleries]
    assert [scene["n"] for scene in data[0]["scenes"]] == list(STEMS)
    assert data[1]["scenes"][0]["night"] is True
    for scene in [scene for gallery in data for scene in gallery["scenes"]]:
        for name in scene["i"]:
            assert (page / "images" / f"{name}.png").is_file()
            assert (page / "thumbs" / f"{name}.webp").is_file()
    assert HOSTILE not in html


def test_full_images_keep_every_pixel_and_equal_ones_are_one_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 700, 3), dtype=np.uint8)
    write_image(tmp_path / "a.png", pixels)
    write_image(tmp_path / "b.png", pixels)
    Image.fromarray(pixels).save(tmp_path / "c.bmp")
    names = ImageStore(tmp_path / "page").add_all(tmp_path / n for n in ("a.png", "b.png", "c.bmp"))
    assert len(set(names.values())) == 1
    name = names[tmp_path / "a.png"]
    assert (read_visible(tmp_path / f"page/images/{name}.png").pixels == pixels).all()
    with Image.open(tmp_path / f"page/thumbs/{name}.webp") as thumb:
        assert max(thumb.size) == THUMB_SIDE


def test_a_page_is_replaced_and_other_folders_are_left_alone(page, tmp_path):
    with PageFolder(page) as replaced:
        (replaced.path / "index.html").write_bytes((page / "index.html").read_bytes())
    assert [path.name for path in page.iterdir()] == ["index.html"]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/index.html").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a page of pomai; give a new folder"):
        PageFolder(tmp_path / "thesis")
    with pytest.raises(InputError, match="its parent folder does not exist"):
        PageFolder(tmp_path / "nowhere/page")


def test_a_page_that_cannot_be_finished_leaves_the_earlier_one(page, tmp_path):
    before = content(page)
    with pytest.raises(ZeroDivisionError), PageFolder(page):
        _ = 1 / 0
    assert content(page) == before
    assert not list(page.parent.glob(".*.writing"))
