"""The ``file:`` transport: a folder of numbered commits, the embedded default that needs no server.

    FOLDER/commits/<sequence>/commit.json          what was committed and where everything stands afterwards
    FOLDER/commits/<sequence>/<topic>-<n>.avro     one segment for each topic and partition that the commit touches
    FOLDER/writing/<writer>/                       what a live writer has not published yet
    FOLDER/locks/                                  one process per group or identity, one publishing writer at a time

Invariants: a commit appears by one rename, whole or not at all; sequences have no gaps; offsets of a partition only
grow; a published file is never changed. Nothing is ever deleted: a folder is kept, archived or removed as a whole.
Local disks only, because the rename and the locks must be the kernel's own.
"""

from stream.transports.folder.archive import FolderArchive
from stream.transports.folder.publisher import FolderPublisher
from stream.transports.folder.reader import FolderReader
from stream.transports.folder.topics import create_topics, list_topics
from stream.transports.folder.transport import FolderTransport
from stream.transports.folder.writer import FolderWriter

__all__ = [
    "FolderArchive",
    "FolderPublisher",
    "FolderReader",
    "FolderTransport",
    "FolderWriter",
    "create_topics",
    "list_topics",
]
