from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import ConfigurationError
from stream.transports.folder import FolderReader, FolderWriter
from stream.transports.folder.layout import file_system, is_network_file_system, lock_file

MOUNTINFO = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:5 / /proc rw - proc proc rw
30 21 0:50 / /data rw,relatime shared:9 - nfs4 server:/export rw,vers=4.2
31 30 8:2 / /data/local\\040disk rw - xfs /dev/vdb rw
32 21 0:60 / /home/a rw master:3 - fuse.sshfs b:/ rw
33 21 0:61 / /over rw - ext4 /dev/vdc rw
34 21 0:62 / /over rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/srv/night", "ext4", False),
        ("/data/night", "nfs4", True),
        ("/data/local disk/night", "xfs", False),
        ("/home/a", "fuse.sshfs", True),
        ("/home/ab", "ext4", False),
        ("/over/x", "cifs", True),
    ],
)
def test_file_system_of_a_path_is_found(path: str, kind: str, network: bool) -> None:
    assert file_system(Path(path), MOUNTINFO) == kind
    assert is_network_file_system(kind) is network


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        FolderWriter(tmp_path / "file" / "folder")
    assert "\n" not in str(caught.value)


def test_reader_does_not_make_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        FolderReader(tmp_path / "typo", ["l2"])
    assert list(tmp_path.iterdir()) == []


def test_lock_file_names_are_safe_and_distinct(tmp_path: Path) -> None:
    names = ["a/b", "a%2Fb", "..", "x" * 500, "x" * 501, "é", ""]
    files = [lock_file(tmp_path, "group", name) for name in names]
    assert len({file.name for file in files}) == len(names)
    assert all(file.parent == tmp_path / "locks" and len(file.name) < 255 for file in files)
