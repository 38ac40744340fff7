"""ultralytics' validator, with the confusion matrix but without drawing."""

from typing import Any

from ultralytics.models.yolo.detect import DetectionValidator


class ConfusionValidator(DetectionValidator):
    """Fills the confusion matrix also when plots, which need a font from the network, are off."""

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        super().update_metrics(preds, batch)
        for index, prediction in enumerate(preds):
            self.confusion_matrix.process_batch(  # type: ignore[attr-defined]
                self._prepare_pred(prediction),
                self._prepare_batch(index, batch),
                conf=self.args.conf,
            )
