"""A network that others exported to ONNX, as a fusion method."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.core.errors import InputError
from fusion.images.color import luminance
from fusion.methods.base import FusionMethod, register
from fusion.methods.onnx.config import OnnxConfig
from fusion.methods.onnx.program import Session, Signature, read_program


@register("onnx")
class Onnx(FusionMethod[OnnxConfig]):
    """Runs an ONNX file with ONNX Runtime.

    The file is part of the state, so that a saved model is complete. It is run image by image: a
    file may hold a fixed batch. Its memory is not known, so images are never cut into tiles.
    """

    config_class = OnnxConfig
    whole_image = True
    tiles_itself = True

    program: Tensor

    def __init__(self, config: OnnxConfig) -> None:
        super().__init__(config)
        self.register_buffer("program", torch.empty(config.program_bytes, dtype=torch.uint8))
        self.shown = "the ONNX file"
        self._session: tuple[torch.device, Session, Signature] | None = None

    @classmethod
    def read(cls, path: Path, config: OnnxConfig) -> Self:
        """A method of an ONNX file.

        Raises:
            InputError: the file is missing, unsafe, no network of two images, or does not say
                enough about itself.
        """
        content = read_program(path)
        method = cls(config.model_copy(update={"program_bytes": len(content)}))
        method.shown = str(path)
        method.program = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        method.running()
        return method.eval()

    def running(self) -> tuple[Session, Signature]:
        """The program, ready on the device where this method is."""
        device = self.program.device
        if self._session is None or self._session[0] != device:
            session = Session(self.program.cpu().numpy().tobytes(), device, self.shown)
            self._session = device, session, session.signature(self.config)
        return self._session[1:]

    def forward(self, infrared: Tensor, visible: Tensor) -> Tensor:
        session, signature = self.running()
        height, width = infrared.shape[-2:]
        planes = visible if signature.rgb else luminance(visible)
        black, white = self.config.input_range()
        inputs = [self._padded(image) * (white - black) + black for image in (infrared, planes)]
        self._check_sides(signature, *inputs[0].shape[-2:])
        fused = [
            self._run(session, signature, *(image[index : index + 1] for image in inputs))
            for index in range(len(infrared))
        ]
        return torch.cat(fused).to(infrared.device)[..., :height, :width].clamp(0, 1)

    def _padded(self, image: Tensor) -> Tensor:
        down, right = (-side % self.config.multiple for side in image.shape[-2:])
        mode = "reflect" if down < image.shape[-2] and right < image.shape[-1] else "replicate"
        return F.pad(image, (0, right, 0, down), mode=mode)

    def _run(
        self, session: Session, signature: Signature, infrared: Tensor, visible: Tensor
    ) -> Tensor:
        last = signature.channels_last
        ports = ((signature.infrared, infrared), (signature.visible, visible))
        inputs = {
            port.name: (image.permute(0, 2, 3, 1) if last else image).float().cpu().numpy()
            for port, image in ports
        }
        output = torch.tensor(session.run(signature.output, inputs)).float()
        if last and output.dim() == 4:
            output = output.permute(0, 3, 1, 2)
        sides = infrared.shape[-2:]
        if output.shape not in [(1, channels, *sides) for channels in (1, 3)]:
            shape = "×".join(map(str, output.shape))
            reason = f"its output {signature.output} is {shape}, no image of {sides[0]}×{sides[1]}"
            raise InputError(self.shown, reason, "correct `output`, `layout` or `multiple`")
        black, white = self.config.output_range()
        levels = (output - black) / (white - black)
        self._check_range(signature, levels.mean().item())
        return luminance(levels) if levels.shape[1] == 3 else levels

    def _check_range(self, signature: Signature, mean: float) -> None:
        """Refuse an output of another range: its mean farther off the range than that is wide."""
        if not (mean < -1 or mean > 2):  # undefined values are refused elsewhere
            return
        black, white = self.config.output_range()
        shown = black + mean * (white - black)
        reason = (
            f"its output {signature.output} is {shown:.4g} on average, far from {black} (black) to "
            f"{white} (white)"
        )
        remedy = (
            "state what the network takes and gives by `black`, `white`, `output_black` and "
            "`output_white` of its config; beside NAME.onnx, that is a file NAME.json"
        )
        raise InputError(self.shown, reason, remedy)

    def _check_sides(self, signature: Signature, height: int, width: int) -> None:
        for side, (taken, given) in zip(
            ("height", "width"), zip(signature.sides(), (height, width), strict=True), strict=True
        ):
            if taken not in (None, given):
                reason = f"takes images of {side} {taken} only, not {given}"
                remedy = "fuse images of that size, or export the network with open sides"
                raise InputError(self.shown, reason, remedy)
