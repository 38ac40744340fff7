"""One method's fused images and the set's boxes, laid out as ultralytics wants them.

Images are linked, not copied; labels are few bytes and copied. ultralytics writes caches beside
labels, so this is a folder of its own and no tracked folder is touched.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import yaml

from detection.splits import SPLITS
from fusion.images import InputError, list_names


def build_workspace(images: Path, dataset: Path, folder: Path) -> Path:
    """Make the YOLO data set of one method.

    Args:
        images: fused images, `<split>/<stem>.png`.
        dataset: prepared data set, `dataset.json` and `<split>/labels/<stem>.txt`.
        folder: made anew.

    Returns:
        The data set's YAML file.

    Raises:
        InputError: the data set has no boxes, or images of a split are missing.
    """
    facts = json.loads((dataset / "dataset.json").read_text())
    if not facts["classes"]:
        raise InputError(dataset, "has no boxes", "detect on a set of layout m3fd")
    shutil.rmtree(folder, ignore_errors=True)
    for split in SPLITS:
        _link_split(split, facts["splits"][split], images / split, dataset / split, folder)
    description = {
        "path": str(folder.resolve()),
        **{split: f"images/{split}" for split in SPLITS},
        "names": dict(enumerate(facts["classes"])),
    }
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(description))
    return file


def _link_split(split: str, stems: list[str], images: Path, dataset: Path, folder: Path) -> None:
    missing = [stem for stem in stems if not (images / f"{stem}.png").is_file()]
    if missing or not stems:
        reason = f"lacks {list_names(missing)}" if stems else "is an empty split"
        raise InputError(images, reason, "fuse the whole data set, or change its split")
    for kind in ("images", "labels"):
        (folder / kind / split).mkdir(parents=True)
    for stem in stems:
        _link(images / f"{stem}.png", folder / "images" / split / f"{stem}.png")
        shutil.copyfile(
            dataset / "labels" / f"{stem}.txt", folder / "labels" / split / f"{stem}.txt"
        )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        target.symlink_to(source.resolve())


def content_digest(folder: Path) -> str:
    """Digest of a workspace's images, labels and names: what a run learns from."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(folder.glob("*/*/*.*")):
        digest.update(str(file.relative_to(folder)).encode())
        digest.update(hashlib.blake2b(file.read_bytes()).digest())
    return digest.hexdigest()
