"""`pomai fuse`: files or folders of pairs, with a trained network."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from fusion.core.errors import InputError, list_names, unwritable
from pipelines.commands.fuse_video import fuse_video
from pipelines.commands.options import Accelerator

if TYPE_CHECKING:
    from fusion.core.config import RuntimeConfig
    from fusion.images.pairs import Pair

VIDEOS = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm"})
"""Video suffixes, for which --video is needed."""

MOST_MEMORY = 2**20
"""GiB."""


def fuse(
    ir: Annotated[Path, typer.Option(help="Infrared image or video, or a folder.")],
    vi: Annotated[Path, typer.Option(help="Visible image or video, or a folder.")],
    out: Annotated[Path, typer.Option(help="Fused image (.png) or video, or a folder.")],
    weights: Annotated[
        str, typer.Option(help="Name of a released network, a model folder, or owner/name.")
    ] = "pomai-tiny",
    stretch: Annotated[bool, typer.Option(help="Stretch each image to its full range.")] = False,
    ir_range: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Infrared of more than 8 bits: values of black and white."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Fuse again where an output exists.")] = False,
    accelerator: Accelerator = "auto",
    memory: Annotated[
        float, typer.Option(min=0.1, help="GiB of tensors; larger images are fused in tiles.")
    ] = 10.0,
    max_megapixels: Annotated[
        float, typer.Option(min=1, max=10_000, help="Larger images are refused.")
    ] = 179.0,
    video: Annotated[
        bool, typer.Option("--video", help="Streams: video files, or folders of frames.")
    ] = False,
    fps: Annotated[
        float | None, typer.Option(min=0.01, help="Frame rate; by default the visible video's.")
    ] = None,
) -> None:
    """Fuse pairs of one stem, or with --video two streams frame by frame.

    Existing outputs are skipped. A pair that cannot be fused is reported at the end and does
    not stop the others. The fused video is an .mp4, .mkv, .webm or .avi file.
    """
    from fusion.core.config import RuntimeConfig

    if ir_range and not (-inf < ir_range[0] < ir_range[1] < inf):
        raise InputError("--ir-range", "is empty or not finite", "give the lower value first")
    if not memory <= MOST_MEMORY:  # not a number is neither
        raise InputError("--memory", f"is {memory:g}", f"give 0.1 to {MOST_MEMORY} GiB")
    if not max_megapixels >= 1:
        raise InputError("--max-megapixels", f"is {max_megapixels:g}", "give a number from 1 on")
    runtime = RuntimeConfig(accelerator=accelerator, memory_gib=memory)
    shared: Any = {"stretch": stretch, "ir_range": ir_range, "overwrite": overwrite}
    if video:
        fuse_video(ir, vi, out, weights, fps=fps, runtime=runtime, **shared)
    elif fps is not None:
        raise InputError("--fps", "is for streams only", "add --video")
    else:
        largest = int(max_megapixels * 1e6)
        _fuse_images(ir, vi, out, weights, runtime=runtime, largest=largest, **shared)


def _fuse_images(
    ir: Path,
    vi: Path,
    out: Path,
    weights: str,
    *,
    stretch: bool,
    ir_range: tuple[float, float] | None,
    overwrite: bool,
    largest: int,
    runtime: "RuntimeConfig",
) -> None:
    from torch import get_num_threads

    from fusion.alignment.survey import survey
    from fusion.core.runtime import pick_device
    from fusion.images.pairs import check_same_size
    from fusion.inference.fuse import fuse_pairs
    from fusion.inference.pretrained import load

    job = _job(ir, vi, out)
    problems = [str(problem) for problem in job.problems]  # an error would keep images alive
    wanted = [pair for pair in job.pairs if overwrite or not job.target(pair).exists()]
    fuser, done = load(weights, pick_device(runtime), runtime.memory_gib), 0
    notes: defaultdict[str, set[str]] = defaultdict(set)
    options: Any = {
        "stretched": stretch,
        "infrared_range": ir_range,
        "runtime": runtime,
        "suffix": job.suffix,
        "largest": largest,
        "on_note": lambda path, note: notes[note].add(str(path)),
    }
    with _bar(len(wanted)) as advance:

        def count(batch: "Sequence[Pair]", problem: InputError | OSError | None) -> None:
            nonlocal done
            if problem:
                problems.append(_words(problem, job.target(batch[0])))
            else:
                done += len(batch)
            advance(len(batch))

        equal = []
        for pair in wanted:
            try:
                check_same_size(pair, largest=largest)
                equal.append(pair)
            except (InputError, OSError) as problem:
                count([pair], problem)
        if equal:
            options |= {"batch_size": 1, "plan": fuser.plan, "workers": get_num_threads()}
            fuse_pairs(fuser.method, equal, job.folder, on_batch=count, **options)
    skipped = len(job.pairs) - len(wanted)
    place = out if job.pairs and out == job.target(job.pairs[0]) else job.folder
    print(f"{done} fused into {place}{f', {skipped} already there' if skipped else ''}")
    for note, paths in notes.items():
        print(f"note: {note}: {list_names(paths, 3)}")
    if wanted and (shift := survey(job.pairs, ir_range)):
        print(f"note: {shift}")
    if problems:
        sys.exit("\n".join(f"error: {problem}" for problem in problems))


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar; none for one pair, which is done before the bar's library is imported."""
    if total < 2:
        yield lambda _: None
        return
    from pipelines.commands.terminal import progress

    with progress("pairs") as bars:
        yield partial(bars.advance, bars.add_task("", total=total))


def _words(problem: InputError | OSError, target: Path) -> str:
    """The message alone: an exception would keep images alive."""
    return str(problem if isinstance(problem, InputError) else unwritable(target, problem))


class _Job(NamedTuple):
    """Pairs, the folder and suffix of their outputs, and the problems of the other pairs."""

    pairs: "list[Pair]"
    folder: Path
    suffix: str = ".png"
    problems: Sequence[InputError] = ()

    def target(self, pair: "Pair") -> Path:
        return self.folder / f"{pair.name}{self.suffix}"


def _job(ir: Path, vi: Path, out: Path) -> _Job:
    job = _files(ir, vi, out) if ir.is_file() and vi.is_file() else _folders(ir, vi, out)
    # not `resolve`, which raises for a link to itself
    sources = {realpath(path) for pair in job.pairs for path in (pair.infrared, pair.visible)}
    if over := [job.target(pair) for pair in job.pairs if realpath(job.target(pair)) in sources]:
        raise InputError(over[0], "is a source and would be overwritten", "give another --out")
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(job.folder, error) from error
    return job


def _files(ir: Path, vi: Path, out: Path) -> _Job:
    from fusion.images.pairs import Pair

    if videos := [path for path in (ir, vi, out) if path.suffix.lower() in VIDEOS]:
        raise InputError(videos[0], "is a video", "add --video")
    if out.is_dir():
        return _Job([Pair(vi.stem, ir, vi)], out)
    if out.suffix.lower() != ".png":
        remedy = "give --out a name that ends in .png, or a folder that exists"
        raise InputError(out, "is not a PNG file", remedy)
    return _Job([Pair(out.stem, ir, vi)], out.parent, out.suffix)


def _folders(ir: Path, vi: Path, out: Path) -> _Job:
    from fusion.images.pairs import Pair, find_images, find_pairs

    for path in (ir, vi):
        if not path.exists():
            raise InputError(path, "does not exist", "give two images or two folders")
    if not (ir.is_dir() and vi.is_dir()):
        reason = f"and {vi} are an image and a folder"
        raise InputError(ir, reason, "give two images or two folders")
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file, but folders are fused", "give a folder as --out")
    if any(out.resolve() == path.resolve() for path in (ir, vi)):
        raise InputError(out, "is the folder of the sources", "give another --out")
    try:
        return _Job(find_pairs(ir, vi), out)
    except InputError as problem:
        infrared, visible = find_images(ir), find_images(vi)
        common = sorted(infrared.keys() & visible.keys())
        pairs = [Pair(name, infrared[name], visible[name]) for name in common]
        return _Job(pairs, out, problems=[problem])
