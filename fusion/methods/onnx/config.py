"""What an ONNX file takes and gives, as far as the file does not tell; imports no torch."""

from typing import Literal

from pydantic import Field

from fusion.core.config import Config
from fusion.methods.settings import MethodSettings


class OnnxConfig(Config):
    """How to run an ONNX file.

    infrared, visible: names of its inputs; empty: told from their names or channels.
    output: name of the output that is the fused image; empty: the first.
    layout: order of the dimensions of inputs and output; "auto": told from where the channels are.
    visible_channels: what the visible input takes; "auto": told from its number of channels, and
        luminance where the file leaves that open.
    white: the value of a white pixel, in and out; a choice of 1 by default, which no file tells.
    multiple: images are padded by reflection to a multiple of this many pixels, and cropped after.
    program_bytes: length of the file; set when it is read, so that a saved model's card tells it.
    """

    infrared: str = ""
    visible: str = ""
    output: str = ""
    layout: Literal["auto", "channels first", "channels last"] = "auto"
    visible_channels: Literal["auto", "luminance", "rgb"] = "auto"
    white: Literal[1, 255] = 1
    multiple: int = Field(1, ge=1, le=1024)
    program_bytes: int = Field(0, ge=0, le=2**31)


SETTINGS = MethodSettings(OnnxConfig)
