"""Linear centered kernel alignment (CKA) between the layers of two encoders.

Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited"; MMA-UNet's
analysis of infrared against visible layers.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fusion.core.errors import InputError
from fusion.images.decode import read_infrared, read_visible
from fusion.images.pairs import Pair, check_same_size
from fusion.methods.base import FusionMethod


class LayerSimilarity(NamedTuple):
    """CKA of every infrared layer (rows) with every visible layer (columns).

    values: I×V, float64 in [0, 1]; not a number where a layer is constant.
    samples: positions that the values are computed from.
    """

    infrared: list[str]
    visible: list[str]
    values: Tensor
    samples: int


def linear_cka(first: Tensor, second: Tensor) -> Tensor:
    """‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of centered features, in Frobenius norms.

    In feature space: memory is C×D, never N×N. Invariant to orthogonal maps and to one scale.

    Args:
        first: N×C features X of N samples.
        second: N×D features Y of the same samples.

    Returns:
        A number in [0, 1], float64; not a number if either is constant.
    """
    x, y = (features.double() - features.double().mean(0) for features in (first, second))
    return _squared_norm(x, y) / (_squared_norm(x, x) * _squared_norm(y, y)).sqrt()


def layer_similarity(
    method: FusionMethod,
    pairs: Sequence[Pair],
    *,
    device: torch.device,
    positions: int = 256,
    seed: int = 0,
    infrared_range: tuple[float, float] | None = None,
    on_pair: Callable[[], object] = lambda: None,
) -> LayerSimilarity:
    """CKA between a method's encoder layers on real pairs.

    A sample is one position of one pair: `positions` of every pair, drawn by `seed` as fractions
    of height and width, so that layers of any resolution see the same places. `infrared_range` is
    the declared range of `read_infrared`.

    Raises:
        InputError: the method has no encoder layers, or an image cannot be used.
    """
    layers = method.encoder_layers()
    if not layers.infrared or not layers.visible:
        raise InputError(
            type(method).__name__, "has no encoders to compare", "choose a trained method"
        )
    generator = torch.Generator().manual_seed(seed)
    method = method.to(device).eval()
    infrared: dict[str, list[Tensor]] = {name: [] for name in layers.infrared}
    visible: dict[str, list[Tensor]] = {name: [] for name in layers.visible}
    for pair in pairs:
        places = torch.rand(2, positions, generator=generator).to(device)
        modules = {*layers.infrared.values(), *layers.visible.values()}
        outputs = _outputs(method, modules, _read(pair, infrared_range, device))
        for name, module in layers.infrared.items():
            infrared[name].append(_sample(outputs[module][0], places))
        for name, module in layers.visible.items():
            visible[name].append(_sample(outputs[module][-1], places))
        on_pair()
    columns = [torch.cat(samples) for samples in visible.values()]
    values = [
        [linear_cka(torch.cat(rows), other) for other in columns] for rows in infrared.values()
    ]
    table = torch.stack([torch.stack(row) for row in values]).cpu()
    return LayerSimilarity(list(infrared), list(visible), table, len(pairs) * positions)


def _outputs(
    method: FusionMethod, modules: set[nn.Module], images: tuple[Tensor, Tensor]
) -> dict[nn.Module, Tensor]:
    """Outputs of the modules for one pair: B×C×H×W, B = 2 (infrared first) if shared.

    A shared layer may see both images in one batch or one after the other.
    """
    found: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}

    def keep(module: nn.Module, _: object, output: Tensor) -> None:
        found[module].append(output.float())

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        with torch.inference_mode():
            method(*images)
    finally:
        for handle in handles:
            handle.remove()
    return {module: torch.cat(outputs) for module, outputs in found.items()}


def _read(
    pair: Pair, infrared_range: tuple[float, float] | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    check_same_size(pair)
    infrared = torch.from_numpy(read_infrared(pair.infrared, infrared_range).pixels)
    visible = torch.from_numpy(read_visible(pair.visible).pixels)
    color = visible.permute(2, 0, 1) if visible.ndim == 3 else visible.expand(3, -1, -1)
    return infrared[None, None].to(device) / 255, color[None].to(device) / 255


def _sample(features: Tensor, places: Tensor) -> Tensor:
    """C×H×W at K places in [0, 1)² -> K×C."""
    rows, columns = (
        (fraction * side).long().clamp(max=side - 1)
        for fraction, side in zip(places, features.shape[1:], strict=True)
    )
    return features[:, rows, columns].T


def _squared_norm(x: Tensor, y: Tensor) -> Tensor:
    return (y.T @ x).square().sum()
