"""Day and night from the names of images."""


def is_night(stem: str) -> bool | None:
    """Whether an image was taken at night, by its name: 00004N night, 00537D day, else None.

    MFNet's mirrored copies have `_flip` after that letter.
    """
    return {"N": True, "D": False}.get(stem.removesuffix("_flip")[-1:])
