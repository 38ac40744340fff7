"""The checkpoints of CAF's authors (RollingPlain/CAF_IVIF) renamed to this project's names.

Both are whole pickled objects; this module reads the state dict of one. The network trained for
detection is the authors' default; one weight distinguishes their `Det_final` and `Seg_final`.
"""

from collections.abc import Mapping
from hashlib import sha256

from torch import Tensor

from fusion.core.published import (
    BATCH_NORM,
    CONVOLUTION,
    Converted,
    inside,
    rename,
    renamed_parts,
)
from fusion.methods.caf.config import CAFConfig
from fusion.methods.caf.method import CAF, DEPTH

CONVOLUTIONS = {
    "encoder1.0": "infrared.0",
    "encoder2.0": "visible.0",
    **{f"dense.{layer}.0": f"dense.{layer}.0" for layer in range(DEPTH)},
    "fuse.0.0": "tail.0",
    "fuse.1.0": "tail.2.0",
    "fuse.2.0": "tail.3",
}
NORMS = {
    "encoder1.1": "infrared.1",
    "encoder2.1": "visible.1",
    **{f"dense.{layer}.1": f"dense.{layer}.1" for layer in range(DEPTH)},
    "fuse.1.1": "tail.2.1",
}
NAMES = renamed_parts(CONVOLUTIONS, CONVOLUTION) | renamed_parts(NORMS, BATCH_NORM)
FINGERPRINTS = {
    "8aba10e05d343cc3a5efb31ebdd926c3f2184ef562e6ac5d9b88a88cf14599e1": "detection",
    "d1041194aceb749158de91f3613d4135b709a279fff85e59c9c3a272407ba276": "segmentation",
}
"""SHA-256 of the last convolution's weights in each of the published files."""


def convert(checkpoint: Mapping[str, Tensor]) -> Converted:
    """See `fusion.core.published.Converter`; other weights have no variant."""
    config = CAFConfig()
    # their files hold {"fuse": network}; the network itself has a part of that name
    wrapped = any(name.startswith(("fuse.encoder1.", "fuse.module.")) for name in checkpoint)
    found = inside(checkpoint, *(("fuse.",) if wrapped else ()), "module.")
    weights = rename(found, NAMES, CAF(config))
    last = weights["tail.3.weight"].float().contiguous().numpy().tobytes()
    return Converted(config, weights, FINGERPRINTS.get(sha256(last).hexdigest(), ""))
