"""What an ONNX file takes and gives, as far as the file does not tell; imports no torch."""

import json
import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from fusion.core.config import Config
from fusion.core.errors import InputError, own_words
from fusion.core.files import read_bytes
from fusion.methods.settings import MethodSettings

CONFIG_LIMIT = 2**20
"""Bytes."""


class OnnxConfig(Config):
    """How to run an ONNX file.

    infrared, visible: names of its inputs; empty: told from their names or channels.
    output: name of the output that is the fused image; empty: the first.
    layout: order of the dimensions of inputs and output; "auto": told from where the channels are.
    visible_channels: what the visible input takes; "auto": told from its number of channels, and
        luminance where the file leaves that open.
    black, white: values of a black and a white pixel, in and out; a choice of 0 and 1 by default,
        which no file tells.
    output_black, output_white: those of the output, where they are not those of the inputs.
    multiple: images are padded by reflection to a multiple of this many pixels, and cropped after.
    program_bytes: length of the file; set when it is read, so that a saved model's card tells it.
    """

    infrared: str = ""
    visible: str = ""
    output: str = ""
    layout: Literal["auto", "channels first", "channels last"] = "auto"
    visible_channels: Literal["auto", "luminance", "rgb"] = "auto"
    black: Literal[-1, 0] = 0
    white: Literal[1, 255] = 1
    output_black: Literal[-1, 0] | None = None
    output_white: Literal[1, 255] | None = None
    multiple: int = Field(1, ge=1, le=1024)
    program_bytes: int = Field(0, ge=0, le=2**31)

    @model_validator(mode="after")
    def _ranges_are_common(self) -> Self:
        for black, white in (self.input_range(), self.output_range()):
            if (black, white) == (-1, 255):
                raise ValueError("black -1 goes with white 1; state both `black` and `white`")
        return self

    def input_range(self) -> tuple[int, int]:
        """Values of a black and a white pixel of the inputs."""
        return self.black, self.white

    def output_range(self) -> tuple[int, int]:
        """Values of a black and a white pixel of the output."""
        black = self.black if self.output_black is None else self.output_black
        white = self.white if self.output_white is None else self.output_white
        return black, white


def config_beside(program: Path) -> OnnxConfig:
    """The config in the file `NAME.json` beside `NAME.onnx`; all defaults where there is none.

    The card of `NAME.safetensors` has the same name and is none.

    Raises:
        InputError: the file is no JSON object of these keys.
    """
    path = program.with_suffix(".json")
    if not os.path.lexists(path):
        return OnnxConfig()
    remedy = 'write the config as a JSON object, such as {"white": 255}, or remove the file'
    read = read_bytes(path, CONFIG_LIMIT)
    try:
        content = json.loads(read)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is no config of an ONNX file ({error})", remedy) from error
    if isinstance(content, dict) and "method" in content:
        return OnnxConfig()
    try:
        return OnnxConfig.model_validate(content)
    except ValidationError as error:
        found = (
            ": ".join([*map(str, item["loc"]), own_words(item["msg"])]) for item in error.errors()
        )
        raise InputError(
            path, f"is no config of an ONNX file ({'; '.join(found)})", remedy
        ) from error


SETTINGS = MethodSettings(OnnxConfig)
