"""Images of any size for networks that halve their sides several times."""

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Reflect images at their lower and right border until both sides are multiples.

    Args:
        images: B×C×H×W; H and W must exceed the padding.
        multiple: of H and W, at least 1.

    Returns:
        B×C×H'×W'; `[..., :H, :W]` is the input.
    """
    bottom, right = (
        (side + multiple - 1) // multiple * multiple - side for side in images.shape[-2:]
    )
    return F.pad(images, (0, right, 0, bottom), mode="reflect")
