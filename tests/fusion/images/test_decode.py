import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fusion.core.errors import InputError
from fusion.core.files import write_bytes
from fusion.images.decode import (
    image_size,
    read_four_channels,
    read_infrared,
    read_visible,
    write_image,
)
from fusion.images.pairs import Pair, check_same_size, find_images, find_pairs

SIDES = {"min_side": 16, "max_side": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def colors(rng, height=20, width=30):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(16, 40), st.integers(16, 40)),
    channels=st.sampled_from([(), (3,)]),
    seed=st.integers(0, 999),
)
def test_what_is_written_is_read_back(folder, shape, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, *channels), dtype=np.uint8)
    write_image(folder / "round.png", pixels)
    read = read_visible(folder / "round.png")
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.notes == ()
    assert read.stored
    assert image_size(folder / "round.png") == shape


@settings(deadline=None, max_examples=30)
@given(pixels=arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, **SIDES)))
def test_three_equal_channels_are_gray(folder, pixels):
    Image.fromarray(np.stack([pixels] * 3, axis=-1)).save(folder / "equal.png")
    for read in (read_visible, read_infrared):
        image = read(folder / "equal.png")
        np.testing.assert_array_equal(image.pixels, pixels)
        assert not image.stored


def test_infrared_in_color_is_its_rounded_luma(folder, rng):
    pixels = colors(rng)
    Image.fromarray(pixels).save(folder / "ir.png")
    red, green, blue = (pixels[..., c].astype(np.float64) for c in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(read_infrared(folder / "ir.png").pixels - luma).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("mode", ["P", "CMYK", "1", "RGBA", "LA", "L", "YCbCr"])
def test_color_modes_become_gray_or_rgb(folder, rng, mode):
    image = Image.fromarray(colors(rng)).convert("L" if mode == "LA" else "RGB").convert(mode)
    path = folder / f"mode-{mode}.{'png' if mode in {'P', '1', 'RGBA', 'LA', 'L'} else 'tif'}"
    image.save(path)
    read = read_visible(path)
    expected = image.convert("L" if mode in {"1", "L", "LA"} else "RGB")
    np.testing.assert_array_equal(read.pixels, np.asarray(expected))
    assert read.notes == (("alpha dropped",) if mode in {"RGBA", "LA"} else ())
    assert read.stored == (mode == "L")


def test_alpha_is_dropped_not_blended(folder, rng):
    rgba = np.dstack([colors(rng), np.zeros((20, 30), np.uint8)])
    Image.fromarray(rgba).save(folder / "alpha.png")
    np.testing.assert_array_equal(read_visible(folder / "alpha.png").pixels, rgba[..., :3])


def test_a_palette_with_a_transparent_color_loses_it(folder, rng):
    image = Image.fromarray(colors(rng)).convert("P")
    image.save(folder / "transparent.png", transparency=3)
    read = read_visible(folder / "transparent.png")
    np.testing.assert_array_equal(read.pixels, np.asarray(image.convert("RGB")))
    assert read.notes == ("alpha dropped",)


def test_sixteen_bit_infrared_is_scaled_by_its_declared_range(folder):
    values = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100
    cv2.imwrite(str(folder / "deep.png"), values)
    full = read_infrared(folder / "deep.png")
    assert full.notes == ("scaled from 0..65535",)
    np.testing.assert_array_equal(full.pixels, np.rint(values / 65535 * 255))
    part = read_infrared(folder / "deep.png", (10000, 30000))
    assert part.notes == ("scaled from 10000..30000",)
    expected = np.rint(np.clip((values.astype(float) - 10000) / 20000, 0, 1) * 255)
    np.testing.assert_array_equal(part.pixels, expected)


@pytest.mark.parametrize(("brightest", "bits"), [(1023, 10), (16383, 14), (16384, None), (0, None)])
def test_deep_images_of_few_bits_are_noted(folder, brightest, bits):
    values = np.full((20, 30), brightest, np.uint16)
    cv2.imwrite(str(folder / "dim.png"), values)
    notes = read_infrared(folder / "dim.png").notes[1:]
    assert [f"only {bits} of 16 bits" in note for note in notes] == [True] * (bits is not None)


def test_eight_bit_infrared_ignores_the_declared_range(folder, rng):
    pixels = colors(rng)[..., 0]
    write_image(folder / "eight.png", pixels)
    read = read_infrared(folder / "eight.png", (100, 200))
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.notes == ("8 bits: the declared range is not used",)
    assert read_infrared(folder / "eight.png").notes == ()


def test_temperatures_need_a_declared_range(folder):
    celsius = np.linspace(-10, 40, 600, dtype=np.float32).reshape(20, 30)
    Image.fromarray(celsius).save(folder / "celsius.tif")
    with pytest.raises(InputError, match=r"celsius\.tif: has values -10\.\.40 .*declare"):
        read_infrared(folder / "celsius.tif")
    read = read_infrared(folder / "celsius.tif", (-10, 40))
    assert (read.pixels.min(), read.pixels.max()) == (0, 255)
    celsius[3, 3] = np.nan
    Image.fromarray(celsius).save(folder / "nan.tif")
    with pytest.raises(InputError, match=r"nan\.tif.*not finite"):
        read_infrared(folder / "nan.tif", (-10, 40))


SHOWN = {  # how a stored picture is shown, by its EXIF orientation
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, 3),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize(
    ("extension", "options"),
    [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"}), ("webp", {"lossless": True})],
)
def test_images_are_turned_as_exif_says(folder, rng, orientation, extension, options):
    image = Image.fromarray(colors(rng))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = folder / f"turned.{extension}"
    image.save(path, exif=exif, **options)
    read = read_visible(path)
    np.testing.assert_array_equal(read.pixels, SHOWN[orientation](np.asarray(image)))
    assert image_size(path) == read.pixels.shape[:2]
    assert read.notes == (("turned as its EXIF says",) if orientation > 1 else ())
    assert read.stored == (orientation == 1 and extension == "png")


@pytest.mark.parametrize("extension", ["png", "webp"])
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0no TIFF", b"II*\0\x08", b"II*\0\x08\0\0\0\1\0\x12\1\2\0\1\0\0\0A" + bytes(7)],
    ids=["no header", "half a header", "a word for the orientation"],
)
def test_broken_exif_leaves_the_pixels_readable(folder, rng, extension, exif):
    image = Image.fromarray(colors(rng))
    path = folder / f"exif.{extension}"
    image.save(path, exif=exif, lossless=True)
    read = read_visible(path)
    np.testing.assert_array_equal(read.pixels, np.asarray(image))
    assert image_size(path) == (20, 30)
    assert read.notes == ("broken EXIF: not turned",)
    assert not read.stored


def test_a_printers_jpeg_has_its_own_colors(folder):
    """A CMYK JPEG as Adobe writes it, inverted."""
    stripes = np.zeros((32, 96, 3), np.uint8)
    for channel in range(3):
        stripes[:, 32 * channel : 32 * channel + 32, channel] = 255
    Image.fromarray(stripes).convert("CMYK").save(folder / "print.jpg", quality=100)
    assert np.abs(read_visible(folder / "print.jpg").pixels.astype(int) - stripes).mean() < 3


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep-alpha.png"])
def test_sixteen_bit_color_is_its_high_byte(folder, rng, name):
    pixels = colors(rng)
    deep = pixels[..., ::-1].astype(np.uint16) * 257
    alpha = [np.full((20, 30), 9, np.uint16)] if "alpha" in name else []
    cv2.imwrite(str(folder / name), np.dstack([deep, *alpha]))
    np.testing.assert_array_equal(read_visible(folder / name).pixels, pixels)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep-alpha.png"])
def test_sixteen_bit_color_takes_no_declared_range(folder, name):
    channels = 4 if "alpha" in name else 3
    cv2.imwrite(str(folder / name), np.full((20, 30, channels), 16383, np.uint16))
    notes = read_infrared(folder / name, (0, 16383)).notes
    assert "16-bit color read as 8-bit" in notes
    assert notes[-1] == "16-bit color: the declared range is not used"


def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def write_deep_gray_with_alpha(path, values, exif):
    """16-bit gray and alpha, which neither Pillow nor OpenCV writes."""
    height, width = values.shape
    rows = np.dstack([values, np.full_like(values, 300)]).astype(">u2").reshape(height, -1)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 4, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    start = b"\x89PNG\r\n\x1a\n" + header + chunk(b"eXIf", exif.tobytes()[6:])
    path.write_bytes(start + pixels + chunk(b"IEND", b""))


@pytest.mark.parametrize("orientation", [1, 6])
def test_sixteen_bit_gray_keeps_its_low_bytes_beside_alpha(folder, rng, orientation):
    values, exif = rng.integers(0, 16384, (20, 30), dtype=np.uint16), Image.Exif()
    exif[0x0112] = orientation
    path = folder / "gray-alpha.png"
    write_deep_gray_with_alpha(path, values, exif)
    read, shown = read_infrared(path, (0, 16383)), SHOWN[orientation](values)
    np.testing.assert_array_equal(read.pixels, np.rint(shown / 16383 * 255))
    assert read.notes[:2] == ("scaled from 0..16383", "alpha dropped")
    np.testing.assert_array_equal(read_visible(path).pixels, np.rint(shown / 65535 * 255))


@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_of_several_frames_the_first_is_read_and_noted(folder, rng, extension):
    frames = [Image.fromarray(colors(rng)) for _ in range(3)]
    path = folder / f"several.{extension}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    read = read_visible(path)
    np.testing.assert_array_equal(read.pixels, np.asarray(frames[0]))
    assert read.notes == ("only the first of 3 frames is read",)
    assert not read.stored


def test_visible_values_of_unknown_range_are_refused(folder):
    Image.fromarray(np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)).save(
        folder / "float.tif"
    )
    with pytest.raises(InputError, match=r"float\.tif: .*unknown range.* 8 or 16 bits"):
        read_visible(folder / "float.tif")


@pytest.mark.parametrize("extension", ["png", "jpg", "bmp", "tif"])
def test_truncated_images_are_refused(folder, rng, extension):
    whole = io.BytesIO()
    kind = {"jpg": "jpeg", "tif": "tiff"}.get(extension, extension)
    Image.fromarray(colors(rng)).save(whole, kind)
    path = folder / f"cut.{extension}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(InputError, match=rf"cut\.{extension}: .*(truncated|not a readable)"):
        read_visible(path)


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(["png", "jpeg", "tiff", "bmp"]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
)
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_end_in_an_image_or_an_input_error(folder, kind, changes):
    stored = io.BytesIO()
    Image.fromarray(colors(np.random.default_rng(1))).save(stored, kind)
    content = bytearray(stored.getvalue())
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    path = folder / f"damaged.{kind}"
    path.write_bytes(bytes(content))
    with contextlib.suppress(InputError):
        assert read_visible(path).pixels.dtype == np.uint8


def test_not_an_image_missing_and_too_small(folder):
    (folder / "text.png").write_text("hello")
    with pytest.raises(InputError, match=r"text\.png: is not a readable image"):
        read_visible(folder / "text.png")
    with pytest.raises(InputError, match=r"nothing\.png: is missing"):
        read_infrared(folder / "nothing.png")
    Image.new("L", (15, 40)).save(folder / "tiny.png")
    with pytest.raises(InputError, match=r"tiny\.png: is only 15x40; sides must be at least 16"):
        read_infrared(folder / "tiny.png")


def test_only_bytes_are_written_and_a_failed_write_leaves_the_old_file(folder, monkeypatch):
    path = folder / "kept.png"
    write_image(path, np.zeros((16, 16), np.uint8))
    before = path.read_bytes()
    with pytest.raises(TypeError, match="float32"):
        write_image(path, np.zeros((16, 16), np.float32))

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"new")
    assert path.read_bytes() == before
    assert not list(folder.glob(".kept*"))


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("L", (20, 16)).save(folder / name)
    return folder


def test_pairs_match_by_stem_whatever_the_extension(tmp_path):
    infrared = make(tmp_path / "ir", "b.png", "a.jpg", "c.PNG")
    visible = make(tmp_path / "vi", "c.png", "a.bmp", "b.tif")
    (visible / "notes.txt").write_text("not an image")
    (visible / ".hidden.png").write_text("not an image")
    pairs = find_pairs(infrared, visible)
    assert [pair.name for pair in pairs] == ["a", "b", "c"]
    assert pairs[0] == Pair("a", infrared / "a.jpg", visible / "a.bmp")


def test_all_missing_partners_are_named(tmp_path):
    infrared = make(tmp_path / "ir", "a.png", "b.png")
    visible = make(tmp_path / "vi", "b.png", "c.png", "d.png")
    with pytest.raises(InputError) as caught:
        find_pairs(infrared, visible)
    message = str(caught.value)
    assert message.startswith(f"{infrared}: 1 infrared without a partner in {visible}: a")
    assert "images end in .bmp, .jpeg" in message
    assert f"2 visible without a partner in {infrared}: c, d" in message


def test_folders_missing_empty_or_with_double_stems_are_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: is not a folder"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(InputError, match="empty: holds no images"):
        find_images(make(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"double: has two files with one stem: a\.jpg, a\.png"):
        find_images(make(tmp_path / "double", "a.png", "a.jpg", "b.png"))


def test_pairs_of_different_size_are_refused_from_their_headers(tmp_path):
    pair = Pair("a", tmp_path / "ir.png", tmp_path / "vi.png")
    Image.new("L", (20, 16)).save(pair.infrared)
    Image.new("RGB", (20, 16)).save(pair.visible)
    check_same_size(pair)
    Image.new("RGB", (16, 20)).save(pair.visible)
    with pytest.raises(InputError, match=r"ir\.png: .*differ in size: 20x16 and 16x20"):
        check_same_size(pair)


@pytest.mark.parametrize(("bits", "dark"), [(10, True), (12, True), (14, True), (16, False)])
def test_color_of_few_bits_in_16_is_said_to_be_dark(tmp_path, bits, dark):
    levels = np.linspace(0, 2**bits - 1, 20 * 30 * 3).astype(np.uint16).reshape(20, 30, 3)
    cv2.imwrite(str(tmp_path / "deep.png"), levels)
    notes = read_visible(tmp_path / "deep.png").notes
    assert notes[0] == "16-bit color read as 8-bit"
    assert [note.partition(":")[0] for note in notes[1:]] == (
        [f"dark, at most {bits} of 16 bits are used"] if dark else []
    )


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'


def test_a_png_is_turned_by_what_stands_before_its_pixels(folder, rng):
    """Sizes come from headers, so what follows the pixels must not change the size."""
    image, exif, path = Image.fromarray(colors(rng)), Image.Exif(), folder / "turned.png"
    exif[0x0112] = 6
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP)
    image.save(path, pnginfo=text)
    turned = read_visible(path)
    np.testing.assert_array_equal(turned.pixels, np.rot90(np.asarray(image), 3))
    assert image_size(path) == turned.pixels.shape[:2] == (30, 20)
    image.save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + content[-12:])
    np.testing.assert_array_equal(read_visible(path).pixels, np.asarray(image))
    assert image_size(path) == (20, 30)


def test_four_channels_of_16_bits_are_refused(folder):
    cv2.imwrite(str(folder / "deep.png"), np.full((20, 30, 4), 4095, np.uint16))
    with pytest.raises(InputError, match=r"deep\.png: has four channels of 16 bits.*; store it"):
        read_four_channels(folder / "deep.png")
