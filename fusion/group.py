"""Processes that share a folder's work: each takes every n-th pair."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch.distributed

from fusion.runtime import RuntimeConfig

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
    """Start the processes that `runtime` asks for (as `fusion.train.launch`) and join them."""
    if runtime.devices * runtime.num_nodes == 1:
        return Group()
    from fusion.train import launch  # imports Lightning: seconds, for nothing when alone

    fabric = launch(runtime)
    return Group(fabric.global_rank, fabric.world_size)
