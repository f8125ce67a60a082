"""The classifier of the spectrum lane: preparation, engines, lines and verdict; any role may be missing.

Verdicts are pure functions of the items. The only clock here measures stages for telemetry and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from classifiers.bundle.errors import BundleError
from classifiers.bundle.manifest import SPECTRAL_ROLES
from classifiers.classifier import EngineUse, Verdicts
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine, by_role, nominal_records
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.spectral.computing import computation
from classifiers.spectral.line_units import with_flux_units
from classifiers.spectral.measuring import compile_loops, measured
from classifiers.verdict.spectral import LEADS, spectral_verdicts
from classifiers.watch import Watch


class SpectralSuite:
    """The spectrum lane: at most one engine for each spectral role; a ``Classifier`` of ``Spectrum``."""

    def __init__(self, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check that the engines fit together.

        Args:
            engines: of the spectral roles.
            threads: batches whose engines compute at once; changes speed, never results.

        Raises:
            BundleError: two bundles of one role, different grids, no calibration, or a fused score that was calibrated
                with another anomaly bundle than the one given.
        """
        found = by_role(engines, SPECTRAL_ROLES)
        self._engines = {role: found[role] for role in LEADS if role in found}
        grids = {loaded.bundle.manifest.name: loaded.bundle.manifest.grid for loaded in self._engines.values()}
        if len(set(grids.values())) > 1:
            raise BundleError(", ".join(grids), expected="one grid for all spectral bundles", found=str(grids))
        grid = next(iter(grids.values()), None)
        self._grid = COMMON_GRID if grid is None else grid.grid()
        self._uses = tuple(loaded.use() for loaded in self._engines.values())
        _check_partner(self._engines)
        self._computation = computation(tuple(self._engines.values()), self._grid, threads)
        self._threads = threads
        compile_loops()

    def engines(self) -> tuple[EngineUse, ...]:
        """Return the engines that take part: classifier, anomaly, qso."""
        return self._uses

    def workers(self) -> int:
        """Return one more than the threads of the engines: one prepares and reads answers while the others compute."""
        return self._threads + 1

    def classify(self, items: Sequence[Spectrum]) -> Verdicts:
        """Classify n >= 1 spectra."""
        prepared, outputs, seconds = self._computation.compute(items)
        watch = Watch()
        read = {role: loaded.answer(outputs[loaded.bundle.manifest.name]) for role, loaded in self._engines.items()}
        lines = None
        if "spectral_classifier" in read:
            lines = measured(items, prepared, read["spectral_classifier"])
            watch.stop("lines")
        verdicts = spectral_verdicts(items, prepared, read, lines)
        if verdicts.lines is not None:
            verdicts = replace(verdicts, lines=with_flux_units(verdicts.lines, items))
        watch.stop("verdict")
        watch.add_to(seconds)
        surveys, coverage = [item.survey for item in items], verdicts.columns["coverage"]
        nominal = nominal_records(self._engines.values(), surveys, coverage)
        return replace(verdicts, nominal=nominal, stage_seconds=seconds)


def _check_partner(engines: Mapping[str, LoadedEngine]) -> None:
    classifier, anomaly = engines.get("spectral_classifier"), engines.get("anomaly")
    if classifier is None or anomaly is None:
        return
    fused = classifier.calibration.fused
    if fused is None:
        return
    partner, manifest = fused.partner, anomaly.bundle.manifest
    found = (manifest.name, manifest.version, anomaly.bundle.sha256)
    if (partner.name, partner.version, partner.bundle_sha256) != found:
        raise BundleError(
            f"{classifier.bundle.folder}: fused calibration",
            expected=f"anomaly bundle {partner.name} {partner.version} (sha256 {partner.bundle_sha256})",
            found=f"{found[0]} {found[1]} (sha256 {found[2]}); recalibrate the classifier with it",
        )
