"""Processes that work together: how they start, and how they share a folder's pairs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch.distributed

from fusion.core.config import RuntimeConfig
from fusion.core.errors import InputError
from fusion.core.runtime import pick_device

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Item = TypeVar("Item")


class Group(NamedTuple):
    """This process's place among those that share the work; alone by default."""

    rank: int = 0
    size: int = 1

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's items: disjoint between processes, all of them together."""
        return items[self.rank :: self.size]

    def gather(self, value: Item) -> list[Item]:
        """Every process's value, by rank, in every process; waits for all of them."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values


def join_group(runtime: RuntimeConfig) -> Group:
    """Start the processes that `runtime` specifies and join them."""
    if runtime.devices * runtime.num_nodes == 1:
        return Group()
    fabric = launch(runtime)
    return Group(fabric.global_rank, fabric.world_size)


def launch(runtime: RuntimeConfig) -> "Fabric":
    """Start the processes that `runtime` specifies; each of them returns from this call.

    Only the first process (`fabric.is_global_zero`) may write outputs.

    Raises:
        InputError: there are fewer CUDA devices than requested.
    """
    from lightning.fabric import Fabric  # seconds, for nothing when alone

    available = torch.cuda.device_count()
    if runtime.accelerator == "cuda" and runtime.devices > available:
        reason = f"{runtime.devices} CUDA devices are requested, {available} found"
        raise InputError("runtime.accelerator", reason, "lower runtime.devices or choose cpu")
    fabric = Fabric(
        accelerator=pick_device(runtime).type,  # Lightning's "auto" takes Apple's GPUs too
        devices=runtime.devices,
        num_nodes=runtime.num_nodes,
        precision=runtime.precision,
        strategy="ddp" if runtime.devices * runtime.num_nodes > 1 else "auto",
    )
    fabric.launch()
    return fabric
