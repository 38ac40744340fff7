"""`pomai align`, as a user runs it."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from fusion.alignment.estimate import Check, Estimate
from fusion.alignment.rig import Rig
from fusion.alignment.warp import common_area
from fusion.images.decode import read_infrared, read_visible, write_image
from pipelines import cli
from tests.fusion.alignment.scenes import scene

SHIFT = np.array([[1, 0, 6], [0, 1, -3], [0, 0, 1.0]])


@pytest.fixture
def folder(tmp_path):
    """Nine pairs whose infrared images lie 6 pixels to the right of and 3 above the visible."""
    for kind in ("ir", "vi"):
        (tmp_path / kind).mkdir()
    for seed in range(9):
        infrared, visible = scene(seed)
        moved = np.ascontiguousarray(infrared[10:-4, 2:-10])
        color = np.repeat(visible[7:-7, 8:-4, None], 3, axis=2)
        color[..., 0] //= 2
        write_image(tmp_path / "ir" / f"{seed}.png", moved)
        write_image(tmp_path / "vi" / f"{seed}.png", np.ascontiguousarray(color))
    return tmp_path


def run(monkeypatch, capsys, folder, *options, out="out"):
    paths = [f"--{name}={folder / path}" for name, path in (("ir", "ir"), ("vi", "vi"))]
    monkeypatch.setattr(sys, "argv", ["pomai", "align", *paths, f"--out={folder / out}", *options])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().out


def rig(folder, matrix=SHIFT, visible=(126, 168), infrared=(126, 168)):
    rows = tuple(tuple(row) for row in matrix.tolist())
    Rig(matrix=rows, visible=visible, infrared=infrared).save(folder / "given.json")
    return f"--matrix={folder / 'given.json'}"


def test_a_given_matrix_is_applied_and_written_again(monkeypatch, capsys, folder):
    code, printed = run(monkeypatch, capsys, folder, rig(folder))
    assert code == 0
    assert "9 pairs of 162x123 written to" in printed
    assert "note" not in printed
    infrared = read_infrared(folder / "out/ir/4.png").pixels
    visible = read_visible(folder / "out/vi/4.png").pixels
    np.testing.assert_array_equal(infrared, read_infrared(folder / "ir/4.png").pixels[:123, 6:])
    np.testing.assert_array_equal(visible, read_visible(folder / "vi/4.png").pixels[3:, :162])
    assert Rig.load(folder / "out/rig.json") == Rig.load(folder / "given.json")


def test_a_matrix_that_leaves_a_shift_is_noted(monkeypatch, capsys, folder):
    printed = run(monkeypatch, capsys, folder, rig(folder, np.eye(3)))[1]
    assert "note: after this, the infrared images lie about 6 pixels to the right of" in printed


def test_the_infrared_grid_keeps_infrared_pixels(monkeypatch, capsys, folder):
    half = np.diag([0.5, 0.5, 1.0]) + np.array([[0, 0, -0.25], [0, 0, -0.25], [0, 0, 0]])
    for path in (folder / "ir").iterdir():
        write_image(path, np.ascontiguousarray(read_infrared(path).pixels[:63, :84]))
    given = rig(folder, half, infrared=(63, 84))
    assert "84x63" in run(monkeypatch, capsys, folder, given, "--grid=infrared")[1]
    assert "168x126" in run(monkeypatch, capsys, folder, given, out="out2")[1]
    assert read_visible(folder / "out/vi/0.png").pixels.shape == (63, 84, 3)


def test_a_sensor_that_is_too_small_for_the_infrared_grid_is_refused(monkeypatch, capsys, folder):
    tenth = np.diag([0.1, 0.1, 1.0])
    for path in (folder / "ir").iterdir():
        write_image(path, np.ascontiguousarray(read_infrared(path).pixels[:24, :32]))
    given = rig(folder, tenth, infrared=(24, 32))
    code = run(monkeypatch, capsys, folder, given, "--grid=infrared")[0]
    assert "ir: the images share less than 16 infrared pixels; use --grid visible" in str(code)
    assert not (folder / "out").exists()
    assert "168x126" in run(monkeypatch, capsys, folder, given)[1]


def test_the_common_area_is_solved_for_once_not_for_every_pair(monkeypatch, capsys, folder):
    solved = []

    def noted(*arguments):
        solved.append(arguments)
        return common_area(*arguments)

    monkeypatch.setattr("fusion.alignment.rig.common_area", noted)
    assert run(monkeypatch, capsys, folder, rig(folder))[0] == 0
    assert len(solved) == 3, "for the file that is written, the one that is read, and the pairs"


def test_control_points_give_their_errors_and_the_matrix(monkeypatch, capsys, folder):
    random = np.random.default_rng(0)
    rows = [(x, y, x + 6, y - 3) for x, y in random.uniform(10, 120, (6, 2))]
    rows[2] = (*rows[2][:2], rows[2][2] + 8, rows[2][3])
    lines = ["name,vi_x,vi_y,ir_x,ir_y", *(f"p,{a},{b},{c},{d}" for a, b, c, d in rows)]
    (folder / "points.csv").write_text("\n".join(lines))
    code, printed = run(monkeypatch, capsys, folder, f"--points={folder / 'points.csv'}")
    assert code == 0
    assert "shift, distances in infrared pixels" in printed
    third = next(line for line in printed.splitlines() if line.split()[1:2] == ["3"])
    assert third.split()[3::2] == ["6.67", "8.00"]
    assert "root mean square" in printed
    matrix = json.loads((folder / "out/rig.json").read_text())["matrix"]
    expected = [[1, 0, 6 + 8 / 6], [0, 1, -3], [0, 0, 1]]
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "has no column vi_x, vi_y, ir_x, ir_y"),
        ("vi_x,vi_y,ir_x,ir_y\n1,2,3\n", "has no four numbers in line 2"),
        ("vi_x,vi_y,ir_x,ir_y\n1,2,3,inf\n", "not finite in line 2"),
        ("vi_x,vi_y,ir_x,ir_y\n1,2,3,4\n", "has 1 points; give at least 3"),
        ("vi_x,vi_y,ir_x,ir_y\n" + "1,1,900,1\n" * 4, "gives a transform of no use"),
    ],
)
def test_bad_control_points_are_refused(monkeypatch, capsys, folder, content, message):
    (folder / "points.csv").write_text(content)
    code, _ = run(monkeypatch, capsys, folder, f"--points={folder / 'points.csv'}")
    assert message in code
    assert not (folder / "out").exists()


def stand_in(monkeypatch, offset):
    """The package vismatch, with one matcher that finds every tenth pixel, moved by an offset."""

    def match(visible, infrared):
        assert visible.shape[0] == infrared.shape[0] == 3
        assert 0.1 < visible.max() <= 1
        points = np.mgrid[20:120:10, 20:100:10].reshape(2, -1).T.astype(np.float32)
        return {"matched_kpts0": points, "matched_kpts1": points + np.float32(offset)}

    module = ModuleType("vismatch")
    module.available_models = ["grid"]
    module.get_matcher = lambda *_, **__: match
    monkeypatch.setitem(sys.modules, "vismatch", module)


def test_a_matchers_transform_is_used_if_held_out_pairs_improve(monkeypatch, capsys, folder):
    stand_in(monkeypatch, (6, -3))
    code, printed = run(monkeypatch, capsys, folder, "--matcher=grid")
    assert code == 0
    assert "on 3 held-out pairs" in printed
    matrix = json.loads((folder / "out/rig.json").read_text())
    np.testing.assert_allclose(matrix["matrix"], SHIFT, atol=0.01)
    assert matrix["source"] == "grid, 9 pairs: improved"


def test_a_matchers_transform_that_does_not_help_is_refused(monkeypatch, capsys, folder):
    stand_in(monkeypatch, (-20, 9))
    code, _ = run(monkeypatch, capsys, folder, "--matcher=grid")
    assert "no transform was found that held-out pairs support: on 3 held-out" in code
    assert not (folder / "out").exists()


def test_an_unknown_matcher_and_a_missing_package_are_named(monkeypatch, capsys, folder):
    stand_in(monkeypatch, (0, 0))
    assert "other is unknown to vismatch" in run(monkeypatch, capsys, folder, "--matcher=other")[0]
    monkeypatch.setitem(sys.modules, "vismatch", None)
    assert "install `pomai[match]`" in run(monkeypatch, capsys, folder, "--matcher=grid")[0]


def test_pairs_that_are_aligned_already_are_left_alone(monkeypatch, capsys, folder):
    for seed in range(9):
        infrared, visible = scene(seed)
        write_image(folder / "ir" / f"{seed}.png", infrared)
        write_image(folder / "vi" / f"{seed}.png", visible)
    stand_in(monkeypatch, (0, 0))
    code, _ = run(monkeypatch, capsys, folder, "--matcher=grid")
    assert "the pairs seem to be aligned already" in code


def test_what_cannot_be_one_rig_is_refused(monkeypatch, capsys, folder):
    code, _ = run(monkeypatch, capsys, folder, rig(folder), "--matcher=grid")
    assert "--matrix and --matcher: exclude each other" in code
    code, _ = run(monkeypatch, capsys, folder, rig(folder, visible=(100, 168)))
    assert "is for visible images of 168x100, and these are 168x126" in code
    write_image(folder / "ir/3.png", np.zeros((40, 50), np.uint8))
    code, _ = run(monkeypatch, capsys, folder)
    assert "3.png: is 50x40 and" in code
    for path in [*(folder / "ir").iterdir(), *(folder / "vi").iterdir()]:
        if path.stem > "1":
            path.unlink()
    assert "ir: has too few pairs (2) to estimate" in run(monkeypatch, capsys, folder)[0]


FLAT = '{"matrix": [[0,0,0],[0,0,0],[0,0,0]], "visible": [126,168], "infrared": [126,168]}'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "matrix: Field required"),
        ("[", "Invalid JSON"),
        ('{"matrix": 1}', "matrix: "),
        (FLAT, "matrix has no inverse"),
    ],
)
def test_a_damaged_rig_file_is_named(monkeypatch, capsys, folder, content, reason):
    (folder / "bad.json").write_text(content)
    code, _ = run(monkeypatch, capsys, folder, f"--matrix={folder / 'bad.json'}")
    assert f"bad.json: does not describe a rig ({reason}" in code


def test_the_estimate_is_printed_with_what_was_tried():
    check = Check((0.5, 0.25), 7.0, (0.0, 0.0))
    text = str(Estimate(np.eye(3), np.eye(3), check, check, 12.34, "improved"))
    assert "on 2 held-out pairs the correlation of gradient orientations is 0.375 when" in text
    assert "moves the corners by 12.3 infrared pixels" in text
