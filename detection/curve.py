"""The curve of a training run, and the choice of its best epoch."""

Record = dict[str, float]
"""One epoch: epoch (from 1), learning rate, losses, val_map50, val_map50_95."""


def best_epoch(curve: list[Record]) -> int:
    """The first epoch, counted from 1, with the highest val mAP@0.5:0.95."""
    return 1 + max(range(len(curve)), key=lambda index: curve[index]["val_map50_95"])
