"""ultralytics' validator, with everything it finds out written down and nothing drawn.

Imported only after `detection.offline.go_offline`.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from ultralytics.models.yolo.detect import DetectionValidator

from detection.matches import Detections, Matches

CONFIDENCE = 0.25
"""Detections above it are counted in the confusion matrix and drawn."""


class RecordingValidator(DetectionValidator):
    """Measures as its base does; also keeps matches by image and some images' detections.

    Args:
        shown: stems of the images whose detections are kept.
        arguments, options: of the base.

    Attributes:
        detections: of the images shown, by stem, in pixels of the image.
    """

    # Set by the base during validation; it declares them as the None that they are before.
    names: Any
    confusion_matrix: Any

    def __init__(self, *arguments: Any, shown: Collection[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.shown = shown
        self.detections: dict[str, Detections] = {}
        self._images: dict[str, dict[str, Any]] = {}

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        super().update_metrics(preds, batch)
        names = ("tp", "conf", "pred_cls", "target_cls")
        for index, prediction in enumerate(preds):
            image = self._prepare_batch(index, batch)
            stem = Path(image["im_file"]).stem
            place = index - len(preds)
            kept = self.scale_preds(self._prepare_pred(prediction), image)
            self._images[stem] = {name: self.metrics.stats[name][place] for name in names}
            self._images[stem]["boxes"] = kept["bboxes"].cpu().numpy().astype(np.float32)
            # The base fills the confusion matrix only while it draws, and from the confidence
            # of the validation, at which almost everything is a false alarm.
            self.confusion_matrix.process_batch(
                self._prepare_pred(prediction), image, conf=CONFIDENCE
            )
            if stem in self.shown:
                sure = (kept["conf"] > CONFIDENCE).cpu().numpy()
                self.detections[stem] = Detections(
                    labels=kept["cls"].cpu().numpy().astype(int)[sure].tolist(),
                    boxes=kept["bboxes"].cpu().numpy().astype(np.float64)[sure],
                    confidences=kept["conf"].cpu().numpy()[sure].tolist(),
                )

    def matches(self) -> Matches:
        """What was found on all images, ordered by name."""
        stems = sorted(self._images)
        stats = [self._images[stem] for stem in stems]
        classes = len(self.names)
        found = [len(image["conf"]) for image in stats]
        return Matches(
            stems=stems,
            truth=np.stack(
                [np.bincount(image["target_cls"].astype(int), minlength=classes) for image in stats]
            ),
            image=np.repeat(np.arange(len(stems)), found),
            label=np.concatenate([image["pred_cls"] for image in stats]).astype(np.int64),
            confidence=np.concatenate([image["conf"] for image in stats]).astype(np.float32),
            correct=np.concatenate([image["tp"] for image in stats]).astype(bool),
            boxes=np.concatenate([image["boxes"] for image in stats]).reshape(-1, 4),
        )
