"""Joining spectra whose arms come in files of their own: WEAVE (RED, BLUE), 4MOST high resolution (HB, HG, HR).

``stream.fits.grouping`` says which files belong together; ``join_records`` reads their records side by side and joins
those of one fibre and target. The files list the fibres in the same order, so only what one file lacks is held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream.fits.axes import lattice_wavelength
from stream.fits.errors import FitsError
from stream.fits.joining import ArmSpectrum, JoinPlan, ivar_of_sigma


def join_records(streams: Sequence[Iterator[dict[str, Any]]], paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield one joined record for each fibre and target; what only some files have is joined from those."""
    pending: dict[Any, list[dict[str, Any]]] = {}
    plans: dict[Any, JoinPlan] = {}
    active = list(streams)
    while active:
        for stream in list(active):
            record = next(stream, None)
            if record is None:
                active.remove(stream)
                continue
            key = (record["fibre_id"], record["cname"] or record["object_uid"])
            members = pending.setdefault(key, [])
            members.append(record)
            if len(members) == len(streams):
                yield join(pending.pop(key), plans, paths[0])
    for members in pending.values():
        yield join(members, plans, paths[0]) if len(members) > 1 else members[0]


def join(records: Sequence[dict[str, Any]], plans: dict[Any, JoinPlan], path: Path) -> dict[str, Any]:
    """Return the record of all arms, by increasing wavelength; identity comes from the first."""
    records = sorted(records, key=_first_wavelength)
    base = records[0]
    for name in ("flux_unit", "medium", "specsys"):
        values = {record[name] for record in records}
        if len(values) != 1:
            raise FitsError(
                f"the arms differ in {name}: {', '.join(sorted(map(str, values)))}", file=path, keyword=name
            )
    key = tuple(_axis_key(record) for record in records)
    if key not in plans:
        plans[key] = JoinPlan([_wavelength(record) for record in records])
    plan = plans[key]
    joined = plan.apply([_arm(record) for record in records])
    kinds = {record["uncertainty_kind"] for record in records}
    uncertainty, kind = joined.ivar, "IVAR"
    if kinds == {"SIGMA"}:
        good = joined.ivar > 0
        uncertainty = np.where(good, 1.0 / np.sqrt(np.where(good, joined.ivar, 1.0)), np.nan)
        kind = "SIGMA"
    arms = {str(record["arm"]) for record in records}
    kept = {name: value for name, value in base.items() if name not in {"grid", "wavelength", "sky", "lsf", "quality"}}
    if joined.quality is not None:
        kept["quality"] = joined.quality.astype(np.int32)
    return {
        **kept,
        **plan.axis,
        "l1_id": _joined_id([record["l1_id"] for record in records], arms),
        "arm": None,
        "product_level": "JOINED" if base["product_level"] == "SINGLE" else base["product_level"],
        "flux": np.ascontiguousarray(joined.flux, dtype=np.float32),
        "uncertainty": np.ascontiguousarray(uncertainty, dtype=np.float32),
        "uncertainty_kind": kind,
        "provenance": list(dict.fromkeys(p for r in records for p in [r["l1_id"], *r.get("provenance", [])])),
        "assumptions": list(dict.fromkeys(a for record in records for a in record["assumptions"])),
        "mjd_start": _extreme(records, "mjd_start", min),
        "mjd_end": _extreme(records, "mjd_end", max),
        "resolving_power": _extreme(records, "resolving_power", min),
    }


def _joined_id(ids: Sequence[str], arms: set[str]) -> str:
    """Return the identifiers of the arms in one, so that it is the same whichever file was named first."""
    stems = {identifier.removesuffix(f"-{arm}") for identifier in ids for arm in arms if identifier.endswith(f"-{arm}")}
    return "+".join(sorted(stems or ids))


def _extreme(records: Sequence[dict[str, Any]], name: str, choose: Any) -> Any:
    values = [v for record in records if (v := record.get(name)) is not None]
    return choose(values) if values else None


def _wavelength(record: dict[str, Any]) -> Any:
    return lattice_wavelength(record["grid"]) if "grid" in record else record["wavelength"]


def _first_wavelength(record: dict[str, Any]) -> float:
    return float(_wavelength(record)[0])


def _axis_key(record: dict[str, Any]) -> Any:
    return tuple(record["grid"].values()) if "grid" in record else record["wavelength"].tobytes()


def _arm(record: dict[str, Any]) -> ArmSpectrum:
    uncertainty = record["uncertainty"].astype(np.float64)
    ivar = uncertainty if record["uncertainty_kind"] == "IVAR" else ivar_of_sigma(uncertainty)
    return ArmSpectrum(record["flux"].astype(np.float64), ivar, record.get("quality"))
