"""What only a GPU can show of TensorRT; ``make test-gpu`` collects this file, nothing else does.

It needs torch with CUDA, numpy, onnxruntime and pytest beside this repository (``tests.bare``). What is
not installed is not tested, and said. The vendor libraries never meet: each test has a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from classifiers.runtimes.casting import DTYPES
from classifiers.runtimes.probing import why_not
from classifiers.runtimes.tensorrt.card import find_card
from tests.bare import STOOD_IN

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).resolve().parents[4]
LIBRARIES = ("tensorrt", "tensorrt_rtx")


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    """Return a library that is installed and made for this card."""
    name = str(request.param)
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    if "onnx" in STOOD_IN:
        pytest.skip(f"{name} is not tested: its graphs are joined with onnx, which is not installed")
    if reason := why_not(name):
        pytest.skip(f"{name} is not tested: {reason}")
    return name


def said(program: str, *words: object) -> str:
    """Run a program in a process of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_driver_tells_of_the_card_what_torch_tells() -> None:
    card = find_card()
    assert card is not None
    assert card.name == torch.cuda.get_device_name(0)
    assert card.compute_capability == ".".join(map(str, torch.cuda.get_device_capability(0)))
    assert card.driver


@pytest.mark.parametrize("dtype", DTYPES)
def test_golden_answers_hold_in_every_number_format_and_the_second_start_builds_nothing(
    library: str, dtype: str, tmp_path: Path
) -> None:
    program = """
        import sys
        from pathlib import Path
        from classifiers.bundle.folder import load_bundle
        from classifiers.runtimes.opening import RuntimeOptions, open_engines
        from classifiers.suite import default_bundles

        library, dtype, cache = sys.argv[1:]
        notices = []
        options = RuntimeOptions(library, dtype, "cuda", Path(cache))
        bundles = [load_bundle(folder) for folder in default_bundles()]
        opened = open_engines(bundles, options, notices.append)
        print(len(opened.engines), sum(notice.startswith("building") for notice in notices))
    """
    assert said(program, library, dtype, tmp_path) == "5 3\n"
    assert said(program, library, dtype, tmp_path) == "5 0\n"


def test_rows_are_answered_alike_in_batches_of_any_size(library: str, tmp_path: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        import numpy as np
        from classifiers.bundle.folder import load_bundle
        from classifiers.runtimes.program import Program
        from classifiers.runtimes.tensorrt.opening import open_tensorrt
        from classifiers.suite import default_bundles

        bundle = next(load_bundle(folder) for folder in default_bundles() if folder.name == "spectral-classifier")
        pipeline = open_tensorrt(
            Program.of([bundle]), sys.argv[1], "fp32", Path(sys.argv[2]), lambda _: None, buckets=(16, 64, 256)
        )
        rng = np.random.default_rng(1)
        width = bundle.manifest.inputs[0].shape[0]
        flux = (1.0 + 0.1 * rng.standard_normal((1000, width))).astype(np.float32)
        inputs = {"flux": flux, "inverse_variance": np.full_like(flux, 100.0)}
        whole = pipeline.run(inputs)["spectral-classifier"]["class_logits"]
        for n in (1, 15, 16, 17, 300, 1000):
            part = pipeline.run({name: array[:n] for name, array in inputs.items()})
            np.testing.assert_allclose(part["spectral-classifier"]["class_logits"], whole[:n], rtol=1e-3, atol=1e-3)
        print("alike")
    """
    assert said(program, library, tmp_path) == "alike\n"


def test_the_library_tells_the_formats_of_an_engines_layers(library: str, tmp_path: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        from classifiers.bundle.folder import load_bundle
        from classifiers.runtimes.program import Program
        from classifiers.runtimes.tensorrt.compiling import compile_ahead
        from classifiers.suite import default_bundles

        bundle = next(load_bundle(folder) for folder in default_bundles() if folder.name == "stamp-anomaly")
        made = compile_ahead(Program.of([bundle]), sys.argv[1], "fp16", (16,), Path(sys.argv[2]))
        print(sorted({dtype for _, dtype in made.kept.record.engine_layers}))
    """
    found = said(program, library, tmp_path)
    if library == "tensorrt":
        assert "fp16" in found
