"""Checkpoints that the authors of a method published, renamed to this project's networks.

A method that can read its authors' files has a module `fusion.methods.<kind>.published` with a
function `convert`, a `Converter`. It states names as data and leaves checking to `rename`. Where
files of one checkpoint share names, the module has `PARTS`: each file's entries then stand below
the name of its part.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from fusion.core.config import Config
from fusion.core.errors import list_names

Names = Mapping[str, str]
"""Published name -> name in this project's state dict."""


class Converted(NamedTuple):
    """A published checkpoint, renamed to a method of this project.

    config: settings of the network.
    weights: its complete state dict.
    variant: which of the authors' checkpoints this is; empty if there is only one.
    """

    config: Config
    weights: dict[str, Tensor]
    variant: str = ""


class Converter(Protocol):
    """The type of `fusion.methods.<kind>.published.convert`."""

    def __call__(self, checkpoint: Mapping[str, Tensor]) -> Converted:
        """Rename a checkpoint, as `fusion.core.tensors.read_checkpoint` returns it.

        Raises:
            ValueError: the checkpoint is of another method; lists missing, unknown and misshapen
                entries.
        """


def inside(checkpoint: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """The entries below prefixes such as "net." or "module.", without these.

    A prefix that no entry has is skipped, so that both forms of a file can be read.

    >>> inside({"net.module.a": torch.ones(1), "epoch": torch.zeros(1)}, "net.", "module.")
    {'a': tensor([1.])}
    """
    found = dict(checkpoint)
    for prefix in prefixes:
        below = {
            name.removeprefix(prefix): value
            for name, value in found.items()
            if name.startswith(prefix)
        }
        found = below or found
    return found


def rename(
    checkpoint: Mapping[str, Tensor], names: Names, network: nn.Module, *, unused: str = ""
) -> dict[str, Tensor]:
    """The state dict of `network` from a published checkpoint.

    Args:
        checkpoint: tensors under their published names.
        names: all published names that are needed, each with its name in `network`.
        network: gives the shapes (it may be on the meta device); dimensions of one element do not
            count, so a 1×256 tensor can be a vector of 256.
        unused: a regular expression for the whole of the published names that act on nothing.

    Raises:
        ValueError: entries are missing, unknown or of another shape; lists them.
        KeyError: `names` does not cover the network; a mistake in the method's table.
    """
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    if uncovered := wanted.keys() ^ set(names.values()):
        raise KeyError(f"the table of published names is not that of the network: {uncovered}")
    missing = names.keys() - checkpoint.keys()
    unknown = {
        name
        for name in checkpoint.keys() - names.keys()
        if not (unused and re.fullmatch(unused, name))
    }
    misshapen = {
        f"{name} ({_shape(checkpoint[name].shape)}, not {_shape(wanted[ours])})"
        for name, ours in names.items()
        if name in checkpoint and not _alike(checkpoint[name].shape, wanted[ours])
    }
    problems = {"missing": missing, "unknown": unknown, "of another shape": misshapen}
    if any(problems.values()):
        listed = [
            f"{what}: {list_names(which, len(which))}" for what, which in problems.items() if which
        ]
        raise ValueError(f"not a checkpoint of this method ({'; '.join(listed)})")
    return {
        ours: checkpoint[name].detach().clone().reshape(wanted[ours])
        for name, ours in names.items()
    }


def _alike(first: Iterable[int], second: Iterable[int]) -> bool:
    return [side for side in first if side != 1] == [side for side in second if side != 1]


def _shape(sides: Iterable[int]) -> str:
    return "×".join(map(str, sides)) or "one number"


def renamed_parts(parts: Names, entries: Iterable[str]) -> dict[str, str]:
    """A table for modules whose entries keep their names: every part with every entry.

    >>> renamed_parts({"conv1.0": "stem"}, ["weight", "bias"])
    {'conv1.0.weight': 'stem.weight', 'conv1.0.bias': 'stem.bias'}
    """
    entries = list(entries)
    return {
        f"{theirs}.{entry}": f"{ours}.{entry}"
        for theirs, ours in parts.items()
        for entry in entries
    }


def names_below(parts: Names, network: nn.Module) -> dict[str, str]:
    """A table for parts of a network whose entries keep their names, however deep they lie.

    >>> names_below({"conv": "stem"}, nn.ModuleDict({"stem": nn.PReLU(), "head": nn.PReLU()}))
    {'conv.weight': 'stem.weight'}
    """
    state = network.state_dict()
    return {
        f"{theirs}{name.removeprefix(ours)}": name
        for theirs, ours in parts.items()
        for name in state
        if name.startswith(f"{ours}.")
    }


CONVOLUTION = ("weight", "bias")
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""Entries of these modules, for `renamed_parts`."""
