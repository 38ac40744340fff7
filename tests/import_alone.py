"""Import each module that is named in a process of its own, and print what came of it.

The processes are forks of this one, which has loaded the packages of others (they take seconds)
and nothing of the project.
"""

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

OTHERS = (
    *("torch", "numpy", "pandas", "cv2", "pydantic.main", "scipy.stats", "yaml", "typer"),
    *("safetensors.torch", "lightning.fabric", "dvclive", "segmentation_models_pytorch", "hydra"),
    *("rich.table", "jinja2", "gdown", "pooch", "PIL.Image", "scmrepo", "dvc.repo"),
    *("pydantic.fields", "torch.utils.checkpoint"),
)


def main(modules: list[str]) -> None:
    sys.path.insert(0, str(Path.cwd()))
    for package in OTHERS:
        with suppress(ImportError):
            import_module(package)
    gc.collect()
    gc.freeze()  # or each child looks through, and so copies, all that its parent has loaded
    for module in modules:
        if not (child := os.fork()):
            print(f"{module}: {outcome(module)}", flush=True)
            os._exit(0)
        os.waitpid(child, 0)


def outcome(module: str) -> str:
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001 a module may raise anything
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "fine"


if __name__ == "__main__":
    main(sys.argv[1:])
