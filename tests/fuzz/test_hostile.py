"""Hostile inputs by kind: special files, impossible outputs, absurd cards, parameters and options.

Each ends within seconds and a bounded memory, works or says what is wrong, and touches nothing but
its output.
"""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path

import pytest

from fusion.core.names import LONGEST
from tests.fuzz.corpus import COMMANDS, FUSE, LEARNED, PREPARE, YOLO_SET
from tests.fuzz.harness import Limits, run

pytestmark = pytest.mark.slow
SECONDS = 30.0
LIMITS = Limits(seconds=SECONDS)
SOURCES = ["--ir", "pairs/ir", "--vi", "pairs/vi"]
EVALUATE = ["evaluate", *SOURCES, "--fused", "pairs/vi", "--metrics", "SD"]
ANALYSE = ["analyse", *SOURCES]
PAIRS_SET = [*PREPARE, "pairs", "--source", "pairs"]


@pytest.fixture
def folder(valid, tmp_path):
    target = tmp_path / "inputs"
    shutil.copytree(valid, target)
    return target


@pytest.fixture
def ends(server, folder):
    """Runs a command in the folder of inputs; asserts that it fails, with a clear message."""

    def call(command, limits=LIMITS, works=False, outputs=None):
        outcome = run(server, [str(word) for word in command], folder, outputs, limits)
        assert outcome.fault() is None, f"{outcome.fault()}: {outcome.errors[-3000:]}"
        assert works or outcome.code, f"worked: {outcome.printed[-500:]}"
        return outcome

    return call


def sparse(path, size):
    with path.open("wb") as file:
        file.truncate(size)


def lead_to_itself(path):
    path.symlink_to(path.name)


SPECIAL = {
    "named pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "link to itself": lead_to_itself,
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "10 GB of zeros": lambda path: sparse(path, 10 << 30),
    "nothing in it": Path.touch,
}
MAY_BE_LEFT_OUT = {
    ("conf/profile/tiny.yaml", "nothing in it"),
    ("yolo/night.txt", "nothing in it"),
    ("yolo/labels/*", "nothing in it"),  # an image without objects
    ("yolo/labels/*", "link to nothing"),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("pattern", COMMANDS)
def test_special_files_in_place_of_an_input(ends, folder, pattern, kind):
    path = sorted(folder.glob(pattern))[-1]
    path.unlink()
    SPECIAL[kind](path)
    for command in COMMANDS[pattern]:
        ends(command, works=(pattern, kind) in MAY_BE_LEFT_OUT)


@pytest.mark.parametrize("pattern", COMMANDS)
def test_inputs_without_permission(ends, folder, pattern):
    path = sorted(folder.glob(pattern))[-1]
    plain = Limits(seconds=SECONDS, plain_user=True)
    path.chmod(0)
    for command in COMMANDS[pattern]:
        ends(command, plain)
    path.chmod(0o644)
    path.parent.chmod(0o600)  # can be listed, not entered
    try:
        for command in COMMANDS[pattern]:
            if path.parent != folder:
                ends(command, plain)
    finally:
        path.parent.chmod(0o755)


OUTPUTS = {
    "prepare": (PAIRS_SET, "--output"),
    "fuse": (FUSE, "--out"),
    "evaluate": (EVALUATE, "--out"),
    "analyse": (ANALYSE, "--out"),
    "params": (["params", "profile=tiny"], "--output"),
    "export": (["export", "--weights", "model", "--format", "torch"], "--out"),
}
IMPOSSIBLE = ("/proc/x", "params.yaml/x", "{long}", "a\0b", "/proc/self/mem")


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_that_cannot_be_written(ends, folder, name):
    command, option = OUTPUTS[name]
    command = command[: command.index(option)] if option in command else command
    rest = OUTPUTS[name][0][len(command) + 2 :]
    for place in IMPOSSIBLE:
        given = place.format(long="x" * 5000)
        ends([*command, *rest, option, given])
    (folder / "locked").mkdir(mode=0o500)
    (folder / "out.csv").mkdir()
    suffix = {"evaluate": ".csv", "params": ".yaml", "export": ".pt2"}.get(name, "")
    plain = Limits(seconds=SECONDS, plain_user=True)
    ends([*command, *rest, option, f"locked/out{suffix}"], plain)
    ends([*command, *rest, option, f"out{suffix}"], Limits(seconds=SECONDS, file_bytes=64))
    if suffix == ".csv":
        ends([*command, *rest, option, "out.csv"])


CARDS = [
    "[]", "null", '"pomai"', "3", "NaN", "", "{}", '{"method": 3}', '{"method": "pomai"}',
    "[" * 100_000, '{"method":' + "[" * 100_000, '{"method": [], "config": {}}',
    '{"method": {}, "config": {}}', '{"method": "[\'pomai\']", "config": {}}',
    '{"method": "pomai", "config": []}', '{"method": "pomai", "config": 3}',
    '{"method": "../x", "config": {}}', '{"method": "pomai\\u0000", "config": {}}',
    '{"method": "\\ud800", "config": {}}', '{"method": "base", "config": {}}',
]  # fmt: skip
"""Whole cards."""
SETTINGS = [
    ("channels", 10**9), ("channels", 60_000), ("blocks", 10**6), ("blocks", 1000),
    ("expansion", 1e308), ("expansion", float("inf")), ("expansion", float("nan")),
    ("ngmm.buckets", 10**9), ("ngmm.buckets", 10**6), ("ngmm.rounds", 10**9),
    ("ngmm.neighbors", 10**6), ("ngmm.group_size", 10**9), ("camn.expansion", 1e9),
    ("camn.dilation", 10**9), ("heads", 10**9), ("heads", 0), ("channels", "64"),
    ("channels", 10**400), ("loss.ssim", 1e999), ("skip", "[/b]"),
]  # fmt: skip
"""A setting of a network and its value; those below its size may change the image only."""


@pytest.mark.parametrize("number", range(len(CARDS)))
def test_cards_that_are_no_cards(ends, folder, number):
    (folder / "learned/card.json").write_text(CARDS[number])
    ends(LEARNED)


@pytest.mark.parametrize(("key", "value"), SETTINGS)
def test_cards_of_absurd_networks(ends, folder, key, value):
    path = folder / "learned/card.json"
    card = json.loads(path.read_text())
    settings, *names = card["config"], *key.split(".")
    for name in names[:-1]:
        if settings.get(name) is None:
            settings[name] = {}
        settings = settings[name]
    settings[names[-1]] = value
    path.write_text(json.dumps(card))
    ends(LEARNED)


ABSURD = [
    ("cddfuse", {"channels": 10**9}),
    ("defusion", {"width": 10**9}),
    ("defusion", {"encoder_blocks": [10**6] * 4}),
    ("emma", {"widths": [10**9, 10**9]}),
    ("emma", {"sensing": {"width": 10**9}}),
    ("ignet", {"width": 64 * 10**7}),
    ("ignet", {"cascade": [10**9, 10**9, 10**9]}),
    ("mmaunet", {"width": 4 * 10**8}),
    ("segmif", {"channels": 10**9}),
    ("segmif", {"semantic_depths": [10**9, 10**9]}),
    ("tim", {"channels": 16 * 10**7}),
    ("laplacian", {"levels": 10**9}),
    ("guided_filter", {"radius": 10**9}),
    ("wavelet", {"levels": 10**9}),
    ("two_scale", {"radius": 10**9}),
]


@pytest.mark.parametrize(("kind", "config"), ABSURD)
def test_absurd_settings_of_every_method(ends, folder, kind, config):
    (folder / "learned/card.json").write_text(json.dumps({"method": kind, "config": config}))
    ends(LEARNED)


def safetensors(header, size=0):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", size or len(content)) + content


WEIGHTS = [
    b"", b"\x00" * 8, b"\xff" * 64, safetensors(b"{}"), safetensors(b"{}", 2**63),
    safetensors(b"[" * 100_000), safetensors({"a": 3}), safetensors([]),
    safetensors({"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}),
    safetensors({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 10**18]}}),
    b"PK\x03\x04" + bytes(100),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WEIGHTS)))
def test_weights_that_are_no_weights(ends, folder, number):
    (folder / "learned/weights.safetensors").write_bytes(WEIGHTS[number])
    ends(LEARNED)


def test_huge_sparse_weights(ends, folder):
    sparse(folder / "learned/weights.safetensors", 200 << 30)
    ends(LEARNED)
    path = folder / "learned/weights.safetensors"
    header = safetensors(
        {"a": {"dtype": "U8", "shape": [200 << 30], "data_offsets": [0, 200 << 30]}}
    )
    path.write_bytes(header)
    os.truncate(path, len(header) + (200 << 30))
    ends(LEARNED)


PARAMS = [
    "seed: [1]",
    "",
    "[" * 10_000 + "]" * 10_000,
    "{a: " * 10_000,
    "a: &a [*a]",
    ("a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"
           "c: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c]\n"
           "e: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e]\n"
           "seed: [*f, *f, *f, *f, *f, *f, *f, *f]"),
    "!!python/object/apply:os.system ['touch PWNED']",
    "[]", "3", "null", "\x00", "\t", "? [a]\n: b",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(PARAMS)))
def test_parameters_that_are_none(ends, folder, number):
    (folder / "params.yaml").write_text(PARAMS[number])
    ends(["check"])


OVERRIDES = [
    "+x=" + "1" * 5000, "+" + ".".join("x" * 2000) + "=1", "a", "=", "", "profile=../../x",
    "profile=[]",
    "+a=${oc.env:HOME}", "+a=${a}", "seed=1e400", "seed=nan", "seed=" + "9" * 40,
    "hydra.run.dir=/tmp/x", "+datasets.../x={layout: pairs, source: x}",
    "+datasets.$(touch PWNED)={layout: pairs, source: x}", "~seed", "profile=a\0b",
    "+a='" + "[" * 5000, "+a=" + "[" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(OVERRIDES)))
def test_overrides(ends, number):
    ends(["params", "profile=tiny", OVERRIDES[number], "--output", "out.yaml"], works=True)
    ends(["check"], works=True)


NAMES = [
    "../x", "../../x", "/x/y", "", ".", "..", "-x", "a b", "a;touch PWNED", "$(touch PWNED)",
    "x>README.md", "x&&touch PWNED", "`touch PWNED`", "a\nb", "x" * 300, "x" * (LONGEST + 1),
    "v1.0", "a/b", "CON", "nul", "[/b]", "a\0b", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_reach_a_path_or_a_shell(ends, folder, name):
    (folder / "out/prepared/keep").mkdir(parents=True)
    ends(["prepare", name, *PAIRS_SET[2:]], outputs=())
    text = (folder / "params.yaml").read_text()
    for place in ("datasets", "methods", "training"):
        head = f"{place}:\n"
        added = f"  {json.dumps(name)}: {{layout: pairs, source: pairs}}\n"
        (folder / "params.yaml").write_text(text.replace(head, head + added, 1))
        ends(["check"], outputs=())


OPTIONS = [
    (FUSE, "--memory", ("inf", "nan", "1e308", "0", "-1", "x", "")),
    ([*FUSE, "--video"], "--fps", ("inf", "nan", "0", "-1", "1e308", "1e-320")),
    (FUSE, "--weights", ("", ".", "..", "/", "x" * 5000, "a\0b", "nope", "pairs", "\ud800/x",
                         "a/b/c",
                         "file:///etc/passwd", "/dev/zero", "params.yaml")),
    (FUSE, "--ir-range", (("nan", "nan"), ("0", "inf"), ("5", "1"), ("-inf", "0"), ("1", "1"))),
    (FUSE, "--device", ("cuda", "meta", "", "x")),
    (PAIRS_SET, "--infrared-range", (("nan", "nan"), ("nan", "1"), ("0", "inf"), ("5", "1"))),
    (YOLO_SET, "--seed", ("1" * 31, "-1", "nan", "1.5")),
    (YOLO_SET, "--fractions", (("nan", "nan", "nan"), ("1", "1", "1"), ("-1", "1", "1"))),
    (PAIRS_SET, "--split", ("test", "test=../x", "=", "nope=a", "test=a\0b")),
    (PAIRS_SET, "--source", ("nope", "/dev/zero", "params.yaml", "x" * 5000, "a\0b", "",
                            "/proc/self")),
    (EVALUATE, "--metrics", ("", "nope", ",", "[/b]")),
    (EVALUATE, "--fused", ("nope", "/dev/zero", "params.yaml", "x" * 5000, "a\0b")),
    (ANALYSE, "--seed", ("1" * 31,)),
    (ANALYSE, "--cka-pairs", ("0", "-1", "1" * 31)),
    (ANALYSE, "--weights", ("nope", "/dev/zero", "x" * 5000, "a\0b", "pairs")),
    (["export", "--out", "out.pt2", "--format", "torch"], "--size", (("0", "0"), ("-1", "16"))),
]  # fmt: skip
HARMLESS = {"1e308", "1" * 31, "", "cuda"}
"""Values that a command may take."""


@pytest.mark.parametrize(
    ("command", "option", "values"), OPTIONS, ids=lambda value: str(value)[:20]
)
def test_options(ends, command, option, values):
    for value in values:
        words = [value] if isinstance(value, str) else value
        ends([*command, option, *words], works=value in HARMLESS)


def test_no_other_program_is_started(ends, folder):
    programs = folder / "programs"
    programs.mkdir()
    for name in ("gs", "gswin64c", "magick", "convert", "djpeg", "inkscape"):
        (programs / name).write_text("#!/bin/sh\ntouch PWNED\n")
        (programs / name).chmod(0o755)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n%%EndComments\nshowpage\n"
    path = Limits(seconds=SECONDS, environment={"PATH": f"{programs}:{os.environ['PATH']}"})
    for name in ("ir/00001D.png", "vi/00002N.tif"):
        (folder / "pairs" / name).write_bytes(content)
    (folder / "msrs/train/Segmentation_labels/00001D.png").write_bytes(content)
    for command in (FUSE, PAIRS_SET, EVALUATE, ANALYSE, [*PREPARE, "msrs", "--source", "msrs"]):
        ends(command, path)


class Malicious:
    def __reduce__(self):
        return os.system, ("touch PWNED",)


def _set(folder, values):
    """Values of params.yaml by dotted key."""
    import yaml

    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    for key, value in values.items():
        *parents, last = key.split(".")
        place = content
        for name in parents:
            place = place.setdefault(name, {})
        place[last] = value
    path.write_text(yaml.safe_dump(content))


CANNOT_WORK = [
    {"detection.model": "yolov8s.pt"},
    {"detection.model": "YOLOv5n"},
    {"detection.model": "model.yaml"},
    {"detection.model": "./model.yaml"},
    {"detection.weights": "weights.pt"},
    {"detection.weights": "/etc/hostname"},
    {"detection.weights": "/dev/zero"},
    {"detection.weights": "nope.pt"},
    {"segmentation.encoder_weights": "weights.pt"},
    {"segmentation.encoder_weights": "nope.safetensors"},
    {"segmentation.encoder": "tu-hf-hub:a/b"},
    {"segmentation.encoder": "tu-local-dir:/tmp"},
    {"segmentation.encoder": "resnet19"},
    {"methods.theirs": {"kind": "precomputed", "source": "/no/where"}},
    {"methods.theirs": {"kind": "precomputed", "source": "params.yaml"}},
    {"methods.theirs": {"kind": "pretrained", "source": "nope.safetensors"}},
    {"methods.pomai-old": {"kind": "pomai", "source": "nope.safetensors"}},
    {"methods.pomai-old": {"kind": "pomai", "source": "nope"}},
    {"detection.epochs": 10**30},
    {"detect_seeds": [2**32]},
    {"seed": 10**30},
    {"runtime.devices": 10**6},
    {"runtime.memory_gib": 1e308},
    {"segmentation.epochs": 10**30},
]


@pytest.mark.parametrize("values", CANNOT_WORK, ids=str)
def test_what_cannot_work_is_refused_by_check(ends, folder, values):
    (folder / "model.yaml").write_text(
        "nc: 1\nactivation: __import__('os').system('touch PWNED')\n"
        "backbone: [[-1, 1, Conv, [8, 3, 2]]]\nhead: [[-1, 1, Detect, [nc]]]\n"
    )
    (folder / "weights.pt").write_bytes(pickle.dumps(Malicious()))
    _set(folder, {"detection.epochs": 1} | values)
    offline = {"HF_HUB_OFFLINE": "1"}
    ends(["check"], Limits(seconds=SECONDS, environment=offline), outputs=())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_output_in_any_encoding(ends, folder, encoding):
    limits = Limits(seconds=SECONDS, encoding=encoding)
    strange = "é[b]–:x:.jpg"
    for kind in ("ir", "vi"):
        (folder / f"pairs/{kind}/00003D.jpg").rename(folder / f"pairs/{kind}/{strange}")
    for command in (FUSE, EVALUATE, ANALYSE, PAIRS_SET):
        ends(command, limits, works=True)
    shutil.rmtree(folder / "out")
    (folder / "pairs/ir" / strange).write_bytes(b"x")
    for command in (FUSE, EVALUATE, ANALYSE, PAIRS_SET):
        ends(command, limits)


def test_one_bad_file_costs_one_pair(ends, folder):
    (folder / "pairs/ir/00002N.tif").write_bytes(b"II*\x00" + bytes(40))
    (folder / "pairs/ir/00003D.jpg").unlink()
    os.mkfifo(folder / "pairs/ir/00003D.jpg")
    outcome = ends(FUSE)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["00001D.png", "00004N.png"]
    assert "00002N" in outcome.errors
    assert "00003D" in outcome.errors
