"""Temporal consistency: what counts as flicker, and what does not."""

import numpy as np
import pytest

from fusion.metrics.temporal import Frames, temporal_change


def frames(seed):
    random = np.random.default_rng(seed)
    return Frames(*random.integers(0, 256, (3, 12, 16), dtype=np.uint8))


def test_both_values_equal_their_definition_pixel_by_pixel():
    before, after = frames(0), frames(1)
    flicker, deviation = [], []
    for y in range(12):
        for x in range(16):
            infrared, visible, fused = (
                int(b[y, x]) - int(a[y, x]) for a, b in zip(before, after, strict=True)
            )
            source = infrared if abs(infrared) >= abs(visible) else visible
            flicker.append(max(abs(fused) - max(abs(infrared), abs(visible)), 0))
            deviation.append(abs(fused - source))
    found = temporal_change(before, after)
    assert found == pytest.approx((np.mean(flicker), np.mean(deviation)))


def test_copying_a_source_never_flickers_and_noise_of_the_fusion_does():
    before, after = frames(0), frames(1)
    copied = [Frames(f.infrared, f.visible, f.visible) for f in (before, after)]
    assert temporal_change(*copied).flicker == 0
    still = Frames(before.infrared, before.visible, before.fused // 2)
    noisy = still._replace(fused=still.fused + 7)
    assert temporal_change(still, noisy) == (7, 7)


def test_images_of_other_sizes_are_refused():
    small = Frames(*(image[:5] for image in frames(0)))
    with pytest.raises(ValueError, match="differ in shape"):
        temporal_change(frames(0), small)
