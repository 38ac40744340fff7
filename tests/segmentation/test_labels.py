import numpy as np
import pytest
from PIL import Image

from fusion.core.errors import InputError
from segmentation.labels import CLASSES, PALETTE, colourise, is_night, read_label


@pytest.fixture
def label():
    return np.random.default_rng(0).integers(0, len(CLASSES), (13, 17), dtype=np.uint8)


def test_index_palette_and_painted_labels_read_the_same(tmp_path, label):
    Image.fromarray(label).save(tmp_path / "grey.png")
    indexed = Image.fromarray(label)
    indexed.putpalette(PALETTE[::-1].tobytes())  # the map is for viewers, the indices count
    indexed.save(tmp_path / "indexed.png")
    Image.fromarray(colourise(label)).save(tmp_path / "painted.png")

    for name in ("grey", "indexed", "painted"):
        read = read_label(tmp_path / f"{name}.png")
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, label)


def test_a_value_that_is_no_class_is_refused_by_file_and_value(tmp_path, label):
    label[3, 4] = 9
    path = tmp_path / "00001D.png"
    Image.fromarray(label).save(path)
    with pytest.raises(InputError, match=r"00001D\.png: label value 9 .*0\.\.8"):
        read_label(path)


def test_a_colour_outside_the_palette_is_refused(tmp_path, label):
    painted = colourise(label)
    painted[0, 0] = (1, 2, 3)
    Image.fromarray(painted).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: colour \(1, 2, 3\)"):
        read_label(tmp_path / "a.png")


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_a_truncated_label_is_refused(tmp_path, label, keep):
    whole = tmp_path / "whole.png"
    Image.fromarray(label).save(whole)
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"broken\.png: the label cannot be read"):
        read_label(broken)


def test_grey_with_alpha_is_refused(tmp_path, label):
    Image.fromarray(np.dstack([label, label])).save(tmp_path / "la.png")
    with pytest.raises(InputError, match="one channel"):
        read_label(tmp_path / "la.png")


def test_day_and_night_come_from_the_name():
    assert is_night("00004N") is True
    assert is_night("00537D") is False
    assert is_night("FLIR_01") is None
