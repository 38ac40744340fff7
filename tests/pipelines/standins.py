"""Tiny stand-ins of the official data sets: their folders, names, formats and labels."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 16, 20

VOC = (
    "<annotation><size><width>{}</width><height>{}</height></size><object><name>{}</name><bndbox>"
    "<xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>12</ymax></bndbox></object></annotation>"
)


class StandIn:
    """Writes one data set below a folder; every image differs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = np.random.default_rng(0)

    def image(self, name: str, channels: int = 3, classes: int = 256) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
        Image.fromarray(self.rng.integers(0, classes, shape, np.uint8)).save(path)

    def box(self, name: str, kind: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(VOC.format(WIDTH, HEIGHT, kind))

    def names(self, name: str, stems: list[str]) -> None:
        (self.folder / name).write_text("".join(f"{stem}\n" for stem in stems))


def msrs(root: Path, train: int = 4, test: int = 2) -> None:
    made = StandIn(root / "MSRS")
    for split, count in (("train", train), ("test", test)):
        for number in range(count):
            name = f"{split}/{{}}/{number:05d}{'DN'[number % 2]}.png"
            made.image(name.format("ir"), channels=1)
            made.image(name.format("vi"))
            made.image(name.format("Segmentation_labels"), channels=1, classes=9)


def m3fd(root: Path, count: int = 12) -> None:
    made = StandIn(root / "M3FD_Detection")
    for number in range(count):
        made.image(f"Ir/{number:05d}.png")
        made.image(f"Vis/{number:05d}.png")
        made.box(f"Annotation/{number:05d}.xml", ("People", "Lamp")[number % 2])


def pairs(
    root: Path, folder: str, count: int, infrared: str = "ir", visible: str = "vi", end: str = "png"
) -> None:
    made = StandIn(root / folder)
    for number in range(count):
        made.image(f"{infrared}/{number:03d}.{end}", channels=1)
        made.image(f"{visible}/{number:03d}.{end}")


def llvip(root: Path) -> None:
    made = StandIn(root / "LLVIP")
    for split, start, count in (("train", 10001, 6), ("test", 190001, 3)):
        for number in range(start, start + count):
            made.image(f"infrared/{split}/{number:06d}.jpg")
            made.image(f"visible/{split}/{number:06d}.jpg")
            made.box(f"Annotations/{number:06d}.xml", "person")


def flir_aligned(root: Path) -> None:
    made = StandIn(root / "FLIR_aligned")
    stems = [f"FLIR_{number:05d}" for number in range(2, 11)]
    for index, stem in enumerate(stems):
        made.image(f"JPEGImages/{stem}_PreviewData.jpeg", channels=1)
        made.image(f"JPEGImages/{stem}_RGB.jpg")
        made.box(f"Annotations/{stem}_PreviewData.xml", ("person", "bicycle", "dog")[index % 3])
    listed = [f"{stem}_PreviewData" for stem in stems]
    made.names("align_train.txt", listed[:6])
    made.names("align_validation.txt", listed[6:])


def mfnet(root: Path) -> None:
    made = StandIn(root / "MFNet")
    stems = [f"{number:05d}{'DN'[number % 2]}" for number in range(8)]
    for stem in stems:
        made.image(f"images/{stem}.png", channels=4)
        made.image(f"labels/{stem}.png", channels=1, classes=9)
    for split, members in (("train", stems[:4]), ("val", stems[4:6]), ("test", stems[6:])):
        made.names(f"{split}.txt", members)


def fmb(root: Path) -> None:
    made = StandIn(root / "FMB")
    for split, count in (("train", 4), ("test", 2)):
        for number in range(count):
            made.image(f"{split}/Infrared/{number:05d}.png")
            made.image(f"{split}/Visible/{number:05d}.png")
            made.image(f"{split}/Label/{number:05d}.png", channels=1, classes=15)


def harvard(root: Path, counts: tuple[int, int, int] = (21, 42, 73)) -> None:
    for kind, count in zip(("CT", "PET", "SPECT"), counts, strict=True):
        pairs(root, f"Harvard/MRI_{kind}", count, "MRI", kind)


def paper(root: Path) -> None:
    m3fd(root)
    pairs(root, "M3FD_Fusion", 120, "Ir", "Vis")
    pairs(root, "TNO", 25)
    pairs(root, "RoadScene", 80, "cropinfrared", "crop_LR_visible", "jpg")
    harvard(root)


def medical(root: Path) -> None:
    harvard(root, (3, 4, 5))


PROFILES = {
    "paper": paper,
    "llvip": llvip,
    "flir_aligned": flir_aligned,
    "mfnet": mfnet,
    "fmb": fmb,
    "medical": medical,
}


def make(profile: str, root: Path) -> None:
    """Write the stand-ins of a profile's data sets below `root`, and MSRS."""
    msrs(root)
    PROFILES[profile](root)
