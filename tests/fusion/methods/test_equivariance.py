import pytest
import torch

from fusion.methods.emma.equivariance import flips, random_shifts, rotations, transformed


def test_a_shift_is_circular_and_the_same_for_all_images():
    images = torch.rand(3, 1, 17, 23)
    shifts = random_shifts(images, 5)
    offsets = []
    for shifted in shifts:
        found = [
            (down, right)
            for down in range(17)
            for right in range(23)
            if torch.equal(images.roll((down, right), (2, 3)), shifted)
        ]
        assert len(found) == 1
        offsets += found
    downs, rights = zip(*offsets, strict=True)
    assert 0 not in downs + rights
    assert len(set(downs)) == len(set(rights)) == 5


def test_shifts_are_drawn_from_the_global_generator():
    images = torch.rand(1, 1, 32, 32)

    def drawn(seed):
        torch.manual_seed(seed)
        return torch.cat(random_shifts(images, 3))

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_every_shift_can_be_drawn():
    torch.manual_seed(0)
    column = torch.arange(16.0).view(1, 1, 16, 1).expand(-1, -1, -1, 16)
    firsts = {random_shifts(column, 1)[0][0, 0, 0, 0].item() for _ in range(300)}
    assert firsts == set(range(1, 16))


def test_flips_mirror_and_twice_is_identity():
    images = torch.arange(6.0).view(1, 1, 2, 3)
    horizontal, vertical, both = flips(images)
    assert horizontal[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert vertical[0, 0].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert both[0, 0].tolist() == [[5, 4, 3], [2, 1, 0]]
    for number, flipped in enumerate((horizontal, vertical, both)):
        assert torch.equal(flips(flipped)[number], images)


def test_a_rotation_keeps_a_disk_and_fills_corners_with_zero():
    axis = torch.linspace(-1, 1, 65)
    radius = (axis.square().view(-1, 1) + axis.square()).sqrt()
    disk = ((0.8 - radius) * 4).clamp(0, 1)[None, None]  # soft rim: no stairs to interpolate
    ones = torch.ones_like(disk)
    for turned, covered in zip(rotations(disk, 3), rotations(ones, 3), strict=True):
        torch.testing.assert_close(turned, disk, atol=0.03, rtol=0)
        assert covered[0, 0, radius < 0.98].min() == pytest.approx(1)
        assert covered[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("count", "angles"), [(0, []), (2, [10, 190]), (3, [10, 130, 250])])
def test_rotations_are_counter_clockwise_from_10_degrees_on(count, angles):
    """A spot on the right of the center goes to where the angle says."""
    spot = torch.zeros(1, 1, 65, 65)
    spot[0, 0, 31:34, 51:54] = 1  # 20 pixels right of the center
    axis = torch.arange(65.0) - 32
    turned = rotations(spot, count)
    assert len(turned) == count
    for image, angle in zip(turned, angles, strict=True):
        mass = image[0, 0]
        right = (mass * axis).sum() / mass.sum()
        up = -(mass * axis.view(-1, 1)).sum() / mass.sum()
        turn = torch.deg2rad(torch.tensor(float(angle)))
        assert right == pytest.approx(20 * turn.cos().item(), abs=0.05)
        assert up == pytest.approx(20 * turn.sin().item(), abs=0.05)


def test_all_transforms_follow_the_images_themselves():
    images = torch.rand(2, 1, 20, 20)
    torch.manual_seed(3)
    moved = transformed(images, 2, 1)
    torch.manual_seed(3)
    expected = [images, *random_shifts(images, 2), *rotations(images, 1), *flips(images)]
    assert torch.equal(moved, torch.cat(expected))
    assert len(moved) == 14


def test_gradients_pass_through_all_transforms():
    images = torch.rand(1, 1, 16, 16, requires_grad=True)
    for part in transformed(images, 1, 1).unbind():
        (gradient,) = torch.autograd.grad(part.sum(), images, retain_graph=True)
        assert gradient[0, 0, 8, 8] == pytest.approx(1, abs=0.05)
