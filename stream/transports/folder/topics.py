"""Topics of a folder: made ahead with their number of partitions, and listed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from stream.errors import ConfigurationError
from stream.transports.folder.commit_log import CommitLog
from stream.transports.folder.writer import FolderWriter


def list_topics(folder: Path) -> dict[str, int]:
    """Return the topics of a folder with their number of partitions; empty where there is no folder.

    Raises:
        Fatal: the newest commit is damaged.
    """
    return {topic: len(states) for topic, states in CommitLog(folder).latest().state.topics.items()}


def create_topics(folder: Path, topics: Mapping[str, int]) -> list[str]:
    """Make or widen topics, with their number of partitions; return those that were not so already.

    Raises:
        ConfigurationError: the folder cannot be written, or a topic has more partitions than asked for.
    """
    with closing(FolderWriter(folder)) as writer:
        there = list_topics(folder)
        for topic, count in topics.items():
            if there.get(topic, 0) > count:
                raise ConfigurationError(
                    f"topic {topic!r} in {folder} has {there[topic]} partitions: expected at most {count}"
                )
        new = {topic: count for topic, count in topics.items() if there.get(topic, 0) < count}
        if new:
            writer.commit(topics=new)
        return sorted(new)
