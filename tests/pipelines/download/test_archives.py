"""Unpacking: what is inside stays inside, and what is no archive is refused."""

import io
import tarfile
import zipfile

import pytest

from fusion.core.errors import InputError
from pipelines.download.archives import MOST_EXPANSION, SMALL, unpack


def save(path, content):
    path.write_bytes(content)
    return path


def tarred(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_archives(tmp_path, mode):
    members = [(tarfile.TarInfo("set/ir/1.png"), b"a"), (tarfile.TarInfo("set/vi/1.png"), b"bc")]
    unpack(tarred(tmp_path / "a", *members, mode=mode), tmp_path / "out")
    assert (tmp_path / "out/set/ir/1.png").read_bytes() == b"a"
    assert (tmp_path / "out/set/vi/1.png").read_bytes() == b"bc"


def test_zip_archives(tmp_path, zipped):
    archive = save(tmp_path / "a", zipped({"set/ir/1.png": b"a", "set/empty/": b""}))
    unpack(archive, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["1.png"]


@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/out", "a/../../out", "C:/out", "..\\out", "\\\\host\\a", "a\nb"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_outside_the_folder(tmp_path, zipped, name, kind):
    if kind == "zip":
        archive = save(tmp_path / "a", zipped({"good.png": b"a", name: b"b"}))
    else:
        archive = tarred(tmp_path / "a", (tarfile.TarInfo(name), b"b"))
    with pytest.raises(InputError, match=r"its member .*; do not use it"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_tar(tmp_path, kind):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(InputError, match="'link' is a link or a device"):
        unpack(tarred(tmp_path / "a", (info, b"")), tmp_path / "out")


def test_links_in_zip(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match="'link' is a link"):
        unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bombs(tmp_path, kind):
    content = bytes(SMALL + 1)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros.png", content)
    else:
        tarred(tmp_path / "a", (tarfile.TarInfo("zeros.png"), content))
    with pytest.raises(InputError, match=f"over {MOST_EXPANSION} times its size; do not use it"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_member(tmp_path, zipped):
    content = zipped({"1.png": b"some content"})
    damaged = content.replace(b"some content", b"some CONTENT")
    with pytest.raises(InputError, match=r"is damaged .*; remove it and fetch it again"):
        unpack(save(tmp_path / "a", damaged), tmp_path / "out")


def test_half_an_archive(tmp_path):
    members = [(tarfile.TarInfo(f"{i}.png"), bytes(range(256)) * 40) for i in range(9)]
    content = tarred(tmp_path / "a", *members).read_bytes()
    with pytest.raises(InputError, match="is damaged"):
        unpack(save(tmp_path / "a", content[: len(content) // 2]), tmp_path / "out")


def test_encrypted(tmp_path, zipped):
    content = bytearray(zipped({"1.png": b"a"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match=r"'1.png' is encrypted"):
        unpack(save(tmp_path / "a", content), tmp_path / "out")


def test_another_format(tmp_path):
    with pytest.raises(InputError, match="is not a zip or tar archive; unpack it by hand"):
        unpack(save(tmp_path / "a", b"7z\xbc\xaf\x27\x1c"), tmp_path / "out")
