"""One method's fused images and the data set's boxes in the layout of ultralytics.

Images are linked; labels are small and copied. Ultralytics writes caches beside the labels, so this
is a separate folder, and tracked folders do not change.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from fusion.core.errors import InputError, list_names
from fusion.images.prepared import SPLITS, PreparedSet
from fusion.images.stacked import channels_of


@dataclass(frozen=True)
class Workspace:
    """A YOLO data set on disk and its sources.

    Attributes:
        name: name of the data set.
        split_protocol: how it was split.
        images: folder of the linked fused images, `<split>/<stem>.png`.
        dataset: the prepared data set with the boxes.
        description: its YAML file, with absolute paths.
        classes: names in the order of their indices.
        splits: stems by split.
        label_digest: digest of all labels.
        image_digest: digest of all images.
        night: stems of the images taken at night; None if unknown.
    """

    name: str
    split_protocol: str
    images: Path
    dataset: Path
    description: Path
    classes: list[str]
    splits: dict[str, list[str]]
    label_digest: str
    image_digest: str
    night: list[str] | None


def build_workspace(images: Path, dataset: Path, folder: Path) -> Workspace:
    """Make the YOLO data set of one method.

    Args:
        images: fused images, or stacked ones of four channels, `<split>/<stem>.png`.
        dataset: prepared data set, `dataset.json` and `<split>/labels/<stem>.txt`.
        folder: the folder of the result; earlier content is removed.

    Raises:
        InputError: the data set has no boxes or a split is missing, a split has no object (its mAP
            would always be 0), or images or labels of a split are missing; all missing names are
            counted before anything is written.
    """
    prepared = PreparedSet.load(dataset)
    if prepared.classes is None:
        raise InputError(dataset, "has no boxes", "detect on a data set with boxes")
    for split in SPLITS:
        if not (stems := prepared.names(split)):
            raise InputError(dataset, f"has no {split} images", "detection needs train, val, test")
        _require(dataset / split / "labels", stems, ".txt", "detect on a data set with boxes")
        _require(images / split, stems, ".png", "fuse the whole data set")
        labels = [dataset / split / "labels" / f"{stem}.txt" for stem in stems]
        if not any(label.read_text().strip() for label in labels):
            reason = f"has no object in its {len(stems)} {split} images"
            raise InputError(dataset, reason, "draw another split: more images or another seed")
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    for split in SPLITS:
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for stem in prepared.names(split):
            label, image = f"{split}/{stem}.txt", f"{split}/{stem}.png"
            _link(images / image, folder / "images" / image)
            shutil.copyfile(dataset / split / "labels" / f"{stem}.txt", folder / "labels" / label)
    description = folder / "data.yaml"
    content = {
        "path": str(folder),
        **{split: f"images/{split}" for split in SPLITS},
        "names": dict(enumerate(prepared.classes)),
        "channels": channels_of(images / "train" / f"{prepared.names('train')[0]}.png"),
    }
    description.write_text(yaml.safe_dump(content))
    return Workspace(
        name=prepared.name,
        split_protocol=prepared.split_protocol,
        images=images,
        dataset=dataset,
        description=description,
        classes=prepared.classes,
        splits={split: sorted(prepared.names(split)) for split in SPLITS},
        label_digest=_digest(folder / "labels"),
        image_digest=_digest(folder / "images"),
        night=prepared.night,
    )


def _require(folder: Path, stems: Iterable[str], suffix: str, remedy: str) -> None:
    missing = [stem for stem in stems if not (folder / f"{stem}{suffix}").is_file()]
    if missing:
        raise InputError(folder, f"lacks {len(missing)} files: {list_names(missing)}", remedy)


def _link(source: Path, target: Path) -> None:
    source = source.resolve()
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        target.symlink_to(source)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*/*")):
        digest.update(str(file.relative_to(folder)).encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
