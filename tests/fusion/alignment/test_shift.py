"""The shift of a set of pairs: found where there is one, and not where there is none."""

import os
from pathlib import Path

import numpy as np
import pytest

from fusion.alignment.orientation import correlate, orientation_field
from fusion.alignment.shift import REACH, find_peak, measure_agreement, noted_shift
from fusion.alignment.survey import survey
from fusion.images.decode import read_infrared, write_image
from fusion.images.pairs import Pair, find_pairs
from tests.fusion.alignment.scenes import scene, shifted_scene


def agreements(right, down, count=8):
    return [measure_agreement(*shifted_scene(seed, right, down)) for seed in range(count)]


@pytest.mark.parametrize(("right", "down"), [(5, 0), (-9, 4), (0, -16)])
def test_a_shifted_set_is_noted_with_its_direction(right, down):
    shift = noted_shift(agreements(right, down))
    assert (shift.right, shift.down) == pytest.approx((right, down), abs=0.7)
    assert shift.error < 1
    assert shift.pairs == 8
    assert shift.agreeing >= 7


def test_nothing_is_said_of_aligned_pairs_few_pairs_and_pairs_that_share_nothing():
    assert noted_shift(agreements(0, 0)) is None
    assert noted_shift(agreements(9, 0, count=4)) is None
    strangers = [measure_agreement(scene(seed)[0], scene(seed + 50)[1]) for seed in range(10)]
    assert noted_shift(strangers) is None


def test_the_note_names_direction_pixels_and_pairs():
    shift = noted_shift(agreements(9, 0))
    assert str(shift).startswith(
        f"the infrared images lie about 9 pixels to the right of the visible ones in "
        f"{shift.agreeing} of 8 pairs (standard error "
    )
    assert "about 4 pixels to the left of and about 6 pixels above the visible" in str(
        noted_shift(agreements(-4, -6))
    )


def test_large_images_are_reduced_and_their_shift_is_in_their_own_pixels():
    pairs = []
    for seed in range(6):
        large = [np.kron(image, np.ones((6, 6), np.uint8)) for image in shifted_scene(seed, 4, 0)]
        pairs.append(measure_agreement(*large))
    assert noted_shift(pairs).right == pytest.approx(24, abs=3)


def test_correlation_equals_the_sum_over_overlapping_pixels():
    fields = [orientation_field(image[:40, :50]) for image in scene(0)]
    surface = correlate(*fields, reach=6)
    infrared, visible = (field.astype(np.complex128) for field in fields)
    norm = np.linalg.norm(infrared) * np.linalg.norm(visible)
    for right, down in ((0, 0), (3, 5), (-6, 2)):
        total = 0.0
        for y in range(40):
            for x in range(50):
                if 0 <= y + down < 40 and 0 <= x + right < 50:
                    total += (infrared[y + down, x + right] * visible[y, x].conj()).real
        assert surface[6 + down, 6 + right] == pytest.approx(total / norm, abs=1e-5)


def test_the_smallest_images_are_measured():
    image = scene(0)[0][:16, :16]
    assert find_peak(measure_agreement(image, image).surface) == pytest.approx((0, 0), abs=0.01)


def test_a_survey_leaves_out_what_cannot_be_compared(tmp_path):
    pairs = []
    for seed in range(7):
        paths = [tmp_path / f"{kind}{seed}.png" for kind in ("ir", "vi")]
        for path, image in zip(paths, shifted_scene(seed, 8, 0), strict=True):
            write_image(path, np.ascontiguousarray(image))
        pairs.append(Pair(str(seed), *paths))
    pairs[0].infrared.write_bytes(b"no image")
    write_image(pairs[1].infrared, np.zeros((20, 20), np.uint8))
    shift = survey(pairs)
    assert shift.pairs == 5
    assert shift.right == pytest.approx(8, abs=0.7)


@pytest.mark.slow
@pytest.mark.skipif("FUSION_DATA" not in os.environ, reason="FUSION_DATA is not set")
@pytest.mark.parametrize("name", ["msrs/dev", "roadscene/test", "tno/test"])
def test_published_pairs_raise_no_false_alarm_and_shifted_ones_are_noticed(name):
    folder = Path(os.environ["FUSION_DATA"], name)
    pairs = find_pairs(folder / "ir", folder / "vi")
    images = [[read_infrared(path).pixels for path in (p.infrared, p.visible)] for p in pairs[:40]]
    random, margin = np.random.default_rng(0), 16
    for length, direction in ((0, (0, 0)), (4, (1, 0)), (8, (0, -1)), (16, (-1, 0))):
        right, down = (length * part for part in direction)
        measured = []
        for infrared, visible in images:
            rows, columns = (side - margin for side in visible.shape)
            moved = infrared[margin - down : rows - down, margin - right : columns - right]
            measured.append(measure_agreement(moved, visible[margin:rows, margin:columns]))
        assert measured[0].surface.shape == (2 * REACH + 1,) * 2
        sets = [random.choice(len(measured), 10, replace=False) for _ in range(100)]
        noted = sum(noted_shift([measured[i] for i in chosen]) is not None for chosen in sets)
        assert noted >= 90 if length else noted <= 5
        if not length:
            assert noted_shift(measured) is None
