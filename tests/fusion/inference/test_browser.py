"""A browser plays fused videos."""

import shutil

import numpy as np
import pytest

from fusion.images.decode import write_image
from fusion.inference.matching import match_streams
from fusion.inference.pretrained import Fuser
from fusion.inference.streams import open_stream
from fusion.inference.video import fuse_streams
from fusion.methods.average import Average

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_the_time_of_a_fused_video_advances_in_chromium(tmp_path, suffix):
    for kind, shape in (("ir", (96, 128)), ("vi", (96, 128, 3))):
        (tmp_path / kind).mkdir()
        for number in range(50):
            frame = np.full(shape, 5 * number, np.uint8)
            write_image(tmp_path / kind / f"{number}.png", frame)
    streams = [open_stream(tmp_path / kind) for kind in ("ir", "vi")]
    output = tmp_path / f"fused.{suffix}"
    match = match_streams(*streams, 25)
    fuse_streams(Fuser(Average(Average.config_class())), *streams, match, output, stretched=False)
    page_file = tmp_path / "page.html"
    page_file.write_text(f'<video id="video" muted autoplay src="{output.name}"></video>')
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.wait_for_function("document.getElementById('video').currentTime > 0.5", timeout=60000)
        facts = page.evaluate(
            "(({videoWidth, videoHeight, duration}) => [videoWidth, videoHeight,"
            " duration])(document.getElementById('video'))"
        )
        browser.close()
    assert facts == pytest.approx([128, 96, 2.0], abs=0.05)
