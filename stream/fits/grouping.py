"""Which files are arms of one exposure: WEAVE (RED, BLUE), 4MOST files of one arm (HB, HG, HR; LB, LG, LR).

Files are looked at one by one and handed out as soon as nothing that follows can belong to them, so that the first of a
hundred thousand leaves at once: names tell 4MOST's files, and of any other file only the first header is read. Arms lie
in one folder; a group waits for what it lacks until its folder has no more files. A file is opened whole only when its
group is handed out and has several members, right before it is read: one that is damaged, or no spectra after all, then
stands alone, so that it does not take the other arms down with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from stream.fits import weave
from stream.fits.errors import FitsError
from stream.fits.first_header import first_header
from stream.fits.fourmost import product_of
from stream.fits.opening import open_fits, parse_header

_FOURMOST_ARMS: Final = 3
_WEAVE_ARMS: Final = 2
_ARMS: Final = ("BLUE", "GREEN", "RED")
_SAME_START_S: Final = 120.0
_SECONDS_PER_DAY: Final = 86400.0

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArmIdentity:
    """What tells the arms of an exposure.

    Attributes:
        key: what they share.
        start_s: when the exposure started [s since MJD 0]; the arms' starts may differ a little.
        arm: which arm this is.
        n_arms: how many arms the instrument has.
    """

    key: Key
    start_s: float
    arm: str
    n_arms: int


@dataclass(slots=True)
class _Group:
    paths: list[Path]
    identity: ArmIdentity | None
    number: int
    lacks: set[str] = field(default_factory=set)


def group_arms(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield the files in groups that belong together, in the order of their first file; most groups have one file.

    4MOST files of one arm are told by their names (arms B, G, R of one night or target, exposure and level); WEAVE
    files by folder, product level, observing block and start of the exposure. A file that cannot be opened is a group
    of its own: reading it raises the error.
    """
    left = Counter(path.parent for path in paths)
    waiting = _Waiting()
    groups: deque[_Group] = deque()
    for number, path in enumerate(paths):
        identity = _identity(path)
        group = None if identity is None else waiting.take(identity)
        if group is None:
            group = _Group([path], identity, number)
            groups.append(group)
            waiting.add(group)
        else:
            group.paths.append(path)
        left[path.parent] -= 1
        while groups and (not groups[0].lacks or not left[groups[0].paths[0].parent]):
            yield from _handed_out(groups.popleft().paths)


class _Waiting:
    """Groups that lack an arm, by what they share, the 120 s in which they started, and that arm."""

    def __init__(self) -> None:
        self._lacking: defaultdict[tuple[Key, int, str], deque[_Group]] = defaultdict(deque)

    def add(self, group: _Group) -> None:
        """Take note of what a new group lacks."""
        if group.identity is None:
            return
        group.lacks = set(_ARMS) - {group.identity.arm}
        for arm in group.lacks:
            self._lacking[group.identity.key, _slot(group.identity), arm].append(group)

    def take(self, identity: ArmIdentity) -> _Group | None:
        """Return the first group that lacks this arm of this exposure, and no longer lacks it then; None for none."""
        found: _Group | None = None
        slot = _slot(identity)
        for near in (slot - 1, slot, slot + 1):
            for group in self._lacking.get((identity.key, near, identity.arm), ()):
                if abs(_start_s(group) - identity.start_s) < _SAME_START_S:
                    if found is None or group.number < found.number:
                        found = group
                    break
        if found is not None:
            self._forget(found, identity.arm)
            if len(_ARMS) - len(found.lacks) == identity.n_arms:
                for arm in tuple(found.lacks):
                    self._forget(found, arm)
        return found

    def _forget(self, group: _Group, arm: str) -> None:
        group.lacks.discard(arm)
        if group.identity is not None:
            self._lacking[group.identity.key, _slot(group.identity), arm].remove(group)


def _start_s(group: _Group) -> float:
    return 0.0 if group.identity is None else group.identity.start_s


def _slot(identity: ArmIdentity) -> int:
    return int(identity.start_s // _SAME_START_S)


def _identity(path: Path) -> ArmIdentity | None:
    """Return what tells the arms of one exposure, from the name or the first header; None for any other file."""
    product = product_of(path.name)
    if product is not None:
        key = ("4MOST", str(path.parent), product.before, product.after)
        return None if product.arm is None else ArmIdentity(key, 0.0, product.arm, _FOURMOST_ARMS)
    try:
        return _weave_identity(path)
    except FitsError:
        return None


def _weave_identity(path: Path) -> ArmIdentity | None:
    cards = first_header(path)
    if b"WEAVE" not in cards:
        return None
    header = parse_header(cards, path)
    camera = (header.text("CAMERA") or "").upper()
    if "WEAVE" not in camera and (header.text("INSTRUME") or "").upper() != "WEAVE":
        return None
    arm = next((arm for arm in _ARMS if camera == f"WEAVE{arm}"), None)
    if arm is None:
        with open_fits(path) as file:
            arm = weave.arm_of(file)
    level = weave.level_of_name(header.text("PROV0000") or path.name)
    start_s = (header.number("MJD-OBS") or 0.0) * _SECONDS_PER_DAY
    return ArmIdentity(("WEAVE", str(path.parent), level, header.text("OBID") or ""), start_s, arm, _WEAVE_ARMS)


def _handed_out(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield the files of a group that can be joined, and each of the others alone, by their first file."""
    joined = tuple(paths) if len(paths) == 1 else tuple(path for path in paths if _joins(path))
    for path in paths:
        if path not in joined:
            yield (path,)
        elif path == joined[0]:
            yield joined


def _joins(path: Path) -> bool:
    """Return whether a file opens and holds what its name or first header announced."""
    try:
        with open_fits(path) as file:
            return product_of(path.name) is not None or weave.recognises(file)
    except FitsError:
        return False
