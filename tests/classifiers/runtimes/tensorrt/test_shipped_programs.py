"""Every bundle that ships becomes an engine of TensorRT for RTX, without a GPU, in every number format."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.runtimes.casting import DTYPES, Dtype
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.program import Program
from classifiers.runtimes.tensorrt.compiling import compile_ahead
from classifiers.suite import default_bundles

LIBRARY = "tensorrt_rtx"
LARGEST_MB = 150.0
"""Constants that are repeated for each row of a batch would make engines of half a gigabyte."""


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(3))
def test_a_program_builds_for_every_bucket_in_every_dtype(
    shipped_programs: tuple[Program, ...], tmp_path: Path, number: int, dtype: Dtype
) -> None:
    """With the inputs and outputs declared, which the builder checks; layers are in the format asked for or in fp32."""
    made = compile_ahead(shipped_programs[number], LIBRARY, dtype, BUCKETS, tmp_path)
    formats = {name for _, name in made.kept.record.layers}
    assert formats == ({"fp32", dtype} if dtype in ("fp16", "bf16") else {"fp32"})
    assert made.kept.record.key["buckets"] == list(BUCKETS)
    assert made.kept.record.engine_bytes < LARGEST_MB * 1e6


def test_the_programs_hold_every_bundle_that_ships(shipped_programs: tuple[Program, ...]) -> None:
    """None is left out of these tests."""
    names = sorted(bundle.manifest.name for program in shipped_programs for bundle in program.bundles)
    assert names == sorted(folder.name for folder in default_bundles())
    assert len(shipped_programs) == 3
