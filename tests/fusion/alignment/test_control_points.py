"""Control points from CSV files."""

import pytest

from fusion.alignment.control_points import read_points
from fusion.core.errors import InputError

HEADER = "vi_x,vi_y,ir_x,ir_y\n"


@pytest.mark.parametrize(
    "table",
    [
        "",
        HEADER,
        HEADER + "1,2,3\n" * 3,
        HEADER + "1,2,3,nan\n" * 3,
        HEADER + "1,2,3,4\r5,6,7,8\n\r9",
        HEADER + "1" * 200_000 + ",2,3,4\n",
        HEADER + '"1,2,3,4\n' * 3,
    ],
    ids=["empty", "header only", "short row", "nan", "carriage return", "long field", "open quote"],
)
def test_a_file_that_is_no_table_of_points_is_refused_by_its_name(tmp_path, table):
    path = tmp_path / "points.csv"
    path.write_bytes(table.encode())
    with pytest.raises(InputError, match=r"points\.csv"):
        read_points(path)


def test_empty_lines_and_other_columns_do_not_count(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("name, vi_x,vi_y,ir_x,ir_y\n\na,1,2,3,4\nb,5,6,7,8\n\nc,9,9,9,9\n")
    visible, infrared = read_points(path)
    assert visible.tolist() == [[1, 2], [5, 6], [9, 9]]
    assert infrared.tolist() == [[3, 4], [7, 8], [9, 9]]
