"""Which files are arms of one exposure: WEAVE (RED, BLUE), 4MOST high resolution (HB, HG, HR).

Grouping looks at names and primary headers alone, one file at a time, and takes time proportional to the number of
files. A file is opened whole only when its group is handed out and has several members, right before it is read: one
that is damaged, or no spectra after all, then stands alone, so that it does not take the other arms down with it.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from stream.fits import weave
from stream.fits.errors import FitsError
from stream.fits.opening import open_fits, read_primary

_MEC_ARM: Final = re.compile(r"(?P<before>(?:^|.*_)H)(?P<arm>[BGR])(?P<after>\d+(?:_.*|\..*))")
_ARMS: Final = ("BLUE", "GREEN", "RED")
_MEC_ARMS: Final = {"B": "BLUE", "G": "GREEN", "R": "RED"}
_SAME_START_S: Final = 120.0
_SECONDS_PER_DAY: Final = 86400.0

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArmIdentity:
    """What tells the arms of an exposure: what they share, when it started [s since MJD 0], and which arm this is."""

    key: Key
    start_s: float
    arm: str


@dataclass(slots=True)
class _Group:
    paths: list[Path]
    start_s: float = 0.0
    arms: set[str] = field(default_factory=set)
    number: int = 0


def group_arms(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield the files in groups that belong together, in the order of their first file; most groups have one file.

    4MOST high-resolution MEC files are told by their names (arms B, G, R of one night and level); WEAVE files by
    folder, product level, observing block and start of the exposure. A file that cannot be opened is a group of its
    own: reading it raises the error.
    """
    groups: list[_Group] = []
    # Groups that still lack an arm, by what they share, the 120 s in which they started, and that arm.
    lacking: defaultdict[tuple[Key, int, str], deque[_Group]] = defaultdict(deque)
    for path in paths:
        identity = _identity(path)
        group = None if identity is None else _take(lacking, identity)
        if group is None:
            group = _Group([path], number=len(groups))
            groups.append(group)
            if identity is None:
                continue
            group.start_s = identity.start_s
            slot = _slot(identity.start_s)
            for arm in _ARMS:
                if arm != identity.arm:
                    lacking[identity.key, slot, arm].append(group)
        else:
            group.paths.append(path)
    for group in groups:
        yield from _readable(group.paths) if len(group.paths) > 1 else [tuple(group.paths)]


def _slot(start_s: float) -> int:
    return int(start_s // _SAME_START_S)


def _take(lacking: defaultdict[tuple[Key, int, str], deque[_Group]], identity: ArmIdentity) -> _Group | None:
    """Return the first group that lacks this arm of this exposure, and no longer lacks it then; None for none."""
    found: tuple[_Group, deque[_Group]] | None = None
    slot = _slot(identity.start_s)
    for near in (slot - 1, slot, slot + 1):
        waiting = lacking.get((identity.key, near, identity.arm))
        if waiting is None:
            continue
        group = next((g for g in waiting if abs(g.start_s - identity.start_s) < _SAME_START_S), None)
        if group is not None and (found is None or group.number < found[0].number):
            found = group, waiting
    if found is None:
        return None
    found[1].remove(found[0])
    return found[0]


def _identity(path: Path) -> ArmIdentity | None:
    """Return what tells the arms of one exposure, from the name or the primary header; None for any other file."""
    match = _MEC_ARM.fullmatch(path.name)
    if match is not None:
        return ArmIdentity(("4MOST", str(path.parent), match["before"], match["after"]), 0.0, _MEC_ARMS[match["arm"]])
    try:
        header = read_primary(path)
        camera = (header.text("CAMERA") or "").upper()
        if "WEAVE" not in camera and (header.text("INSTRUME") or "").upper() != "WEAVE":
            return None
        arm = next((arm for arm in _ARMS if camera == f"WEAVE{arm}"), None)
        if arm is None:
            with open_fits(path) as file:
                arm = weave.arm_of(file)
        level = weave.level_of_name(header.text("PROV0000") or path.name)
        start_s = (header.number("MJD-OBS") or 0.0) * _SECONDS_PER_DAY
        return ArmIdentity(("WEAVE", str(path.parent), level, header.text("OBID") or ""), start_s, arm)
    except FitsError:
        return None


def _readable(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield the files of a group that can be joined, and each of the others alone, by their first file."""
    sound = [path for path in paths if _joins(path)]
    joined = tuple(sound)
    for path in paths:
        if path not in joined:
            yield (path,)
        elif path == joined[0]:
            yield joined


def _joins(path: Path) -> bool:
    """Return whether a file opens and holds what its name or primary header announced."""
    try:
        with open_fits(path) as file:
            return _MEC_ARM.fullmatch(path.name) is not None or weave.recognises(file)
    except FitsError:
        return False
