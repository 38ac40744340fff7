"""Testing a segmenter: predictions and confusion matrices at full resolution."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fusion.core.config import RuntimeConfig
from fusion.core.runtime import autocast, pick_device
from segmentation.confusion import Matrices, confusion_matrices
from segmentation.data import LabeledImages
from segmentation.models import Segmenter


@torch.inference_mode()
def predict(
    model: Segmenter, data: LabeledImages, batch_size: int, runtime: RuntimeConfig
) -> Iterator[tuple[list[int], Tensor]]:
    """Predict every image at its full size, in batches of images of one size.

    Yields:
        Indices into `data`, and their class indices, B×H×W uint8 on the computing device.
    """
    device = pick_device(runtime)
    model.to(device).eval()
    by_size: dict[torch.Size, list[int]] = defaultdict(list)
    for index, label in enumerate(data.labels):
        by_size[label.shape].append(index)
    for indices in by_size.values():
        for start in range(0, len(indices), batch_size):
            batch = indices[start : start + batch_size]
            images = torch.stack([data.images[index] for index in batch]).to(device)
            with autocast(runtime, device):
                logits = model(images.float() / 255)
            yield batch, logits.argmax(1).to(torch.uint8)


def per_image_confusion(
    model: Segmenter, data: LabeledImages, batch_size: int, runtime: RuntimeConfig
) -> Matrices:
    """Confusion matrix of each image: N×K×K, rows the truth, columns the prediction."""
    device = pick_device(runtime)
    matrices: list[Tensor | None] = [None] * len(data)
    for batch, prediction in predict(model, data, batch_size, runtime):
        truth = torch.stack([data.labels[index] for index in batch]).to(device)
        counted = confusion_matrices(prediction, truth, len(data.classes))
        for index, matrix in zip(batch, counted, strict=True):
            matrices[index] = matrix
    return torch.stack([matrix for matrix in matrices if matrix is not None]).cpu().numpy()


def confusion_of(predicted: Mapping[str, NDArray[np.uint8]], data: LabeledImages) -> Matrices:
    """As `per_image_confusion`, of predictions that were made before: N×K×K."""
    counted = [
        confusion_matrices(torch.from_numpy(predicted[stem])[None], label[None], len(data.classes))
        for stem, label in zip(data.stems, data.labels, strict=True)
    ]
    return torch.cat(counted).numpy()


def predictions(
    model: Segmenter, data: LabeledImages, batch_size: int, runtime: RuntimeConfig
) -> dict[str, NDArray[np.uint8]]:
    """Predicted class indices of each image, H×W by stem."""
    return {
        data.stems[index]: label
        for batch, labels in predict(model, data, batch_size, runtime)
        for index, label in zip(batch, labels.cpu().numpy(), strict=True)
    }
