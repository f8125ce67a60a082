"""TensorRT's own Python bindings, from its first version that serves to its newest: what is called of them is there.

Its libraries cannot be had from the ordinary package index, its bindings can (``ops/setup/tensorrt.sh``): with empty
libraries in their place they import, have every class and signature, and answer as on a machine without a driver.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
BINDINGS = Path(sys.prefix) / "share" / "tensorrt"
EMPTY = {
    "libnvinfer": (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "getBuilderPluginRegistry",
        "getPluginRegistry",
    ),
    "libnvonnxparser": (
        "createNvOnnxParser_INTERNAL",
        "createNvOnnxParserRefitter_INTERNAL",
        "getNvOnnxParserVersion",
    ),
    "libnvinfer_plugin": ("initLibNvInferPlugins",),
}
"""Libraries that the bindings need, and the functions of them that they ask the loader for."""
CALLS: dict[str, dict[str, int]] = {
    "Builder": {
        "__init__": 1, "create_network": 1, "create_builder_config": 0, "create_optimization_profile": 0,
        "build_serialized_network": 2,
    },
    "INetworkDefinition": {"get_input": 1, "get_output": 1, "get_layer": 1},
    "OnnxParser": {"__init__": 2, "parse": 1, "get_error": 1},
    "ParserError": {"code": 0, "desc": 0, "node_name": 0, "node_operator": 0},
    "IBuilderConfig": {
        "set_flag": 1, "clear_flag": 1, "add_optimization_profile": 1, "create_timing_cache": 1, "set_timing_cache": 2,
    },
    "IOptimizationProfile": {"set_shape": 4},
    "ITimingCache": {"serialize": 0},
    "ILayer": {"get_output": 1},
    "IProgressMonitor": {"__init__": 0, "phase_start": 3, "step_complete": 2, "phase_finish": 1},
    "ILogger": {"__init__": 0, "log": 2},
    "Runtime": {"__init__": 1, "deserialize_cuda_engine": 1},
    "ICudaEngine": {
        "get_device_memory_size_for_profile_v2": 1, "create_execution_context": 1, "create_engine_inspector": 0,
        "get_tensor_name": 1, "get_tensor_dtype": 1, "get_tensor_shape": 1, "get_tensor_mode": 1,
        "get_tensor_profile_shape": 2,
    },
    "IExecutionContext": {
        "set_optimization_profile_async": 2, "set_device_memory": 2, "set_input_shape": 2, "set_tensor_address": 2,
        "execute_async_v3": 1, "infer_shapes": 0,
    },
    "EngineInspector": {"get_engine_information": 1},
}  # fmt: skip
"""What ``classifiers.runtimes.tensorrt`` calls of TensorRT, and with how many arguments."""
NAMES: dict[str, tuple[str, ...]] = {
    "NetworkDefinitionCreationFlag": ("STRONGLY_TYPED",),
    "BuilderFlag": ("TF32", "STRICT_NANS"),
    "ProfilingVerbosity": ("DETAILED",),
    "DataType": ("FLOAT", "HALF", "BF16", "INT32", "INT64", "BOOL"),
    "LayerType": ("CONVOLUTION", "DECONVOLUTION", "EINSUM", "MATRIX_MULTIPLY"),
    "ILogger": ("INTERNAL_ERROR", "ERROR", "WARNING"),
    "ExecutionContextAllocationStrategy": ("USER_MANAGED",),
    "TensorIOMode": ("INPUT",),
    "LayerInformationFormat": ("JSON",),
    "INetworkDefinition": ("num_inputs", "num_outputs", "num_layers"),
    "OnnxParser": ("num_errors",),
    "ITensor": ("name", "dtype", "shape"),
    "ILayer": ("name", "type"),
    "IBuilderConfig": ("max_aux_streams", "profiling_verbosity", "progress_monitor"),
    "ICudaEngine": ("num_io_tensors", "num_optimization_profiles"),
}
"""What it reads or sets."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            "10", marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="10.8 knows no Python after 3.12")
        ),
        "11",
    ],
)
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function that runs a program in a process that can import this major version of ``tensorrt``."""
    major = str(request.param)
    assert (BINDINGS / major).is_dir(), f"run make lint, which installs TensorRT's bindings into {BINDINGS}"
    folder = tmp_path_factory.mktemp(f"tensorrt-{major}")
    for library, functions in EMPTY.items():
        source = folder / f"{library}.c"
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in functions))
        file = f"{library}.so.{major}"
        subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{file}", "-o", folder / file, source], check=True)
    (folder / "tensorrt.py").write_text(  # as the vendor's package of that name does
        "from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n"
    )
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(folder),
        "PYTHONPATH": os.pathsep.join(map(str, (folder, BINDINGS / major))),
    }

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def arguments(signatures: str) -> Iterator[range]:
    """Return how many arguments beside self each overload takes, from a docstring of pybind11."""
    for inside in re.findall(r"\w+\(self: (.*)\) -> ", signatures):
        flat = inside
        while (shorter := re.sub(r"[\[(<][^\[\](<>)]*[\])>]", "", flat)) != flat:
            flat = shorter
        parts = flat.split(", ")[1:]
        yield range(sum("=" not in part for part in parts), len(parts) + 1)


def test_every_call_takes_the_arguments_that_it_is_given(said: Callable[[str], str]) -> None:
    documents = said(f"""
        import json, tensorrt
        calls = {CALLS!r}
        print(json.dumps({{f"{{kind}}.{{name}}": getattr(getattr(tensorrt, kind), name).__doc__
                           for kind in calls for name in calls[kind]}}))
    """)
    found = {name: list(arguments(document)) for name, document in json.loads(documents).items()}
    assert all(found.values())
    wanted = {f"{kind}.{name}": count for kind, names in CALLS.items() for name, count in names.items()}
    wrong = {name: found[name] for name, count in wanted.items() if not any(count in each for each in found[name])}
    assert wrong == {}


def test_everything_that_is_read_or_set_is_there(said: Callable[[str], str]) -> None:
    missing = said(f"""
        import tensorrt
        names = {NAMES!r}
        print([(kind, name) for kind in names for name in names[kind] if not hasattr(getattr(tensorrt, kind), name)])
    """)
    assert missing == "[]\n"


def test_without_a_driver_it_is_loaded_and_says_that_it_does_not_start(said: Callable[[str], str]) -> None:
    """Logger and progress monitor are subclasses of the bindings' own; a builder and a runtime answer with nothing."""
    answered = said("""
        from classifiers.runtimes.errors import RuntimeUnavailable
        from classifiers.runtimes.tensorrt.inspecting import inspect
        from classifiers.runtimes.tensorrt.launching import TensorrtLauncher
        from classifiers.runtimes.tensorrt.library import listen, load
        from classifiers.runtimes.tensorrt.network import CannotBuild, _monitor, build
        from classifiers.runtimes.tensorrt.progress import Phases

        library = load("tensorrt")
        logger, words = listen(library)
        logger.log(library.module.ILogger.ERROR, "heard")
        print(words.take())
        monitor = _monitor(library.module, Phases(lambda doing, fraction: print(doing, fraction)))
        monitor.phase_start("tactics", None, 2)
        print(monitor.step_complete("tactics", 0))
        reads, answers = {"x": ("float32", (8,))}, {"y": ("float32", (8,))}
        try:
            build(library, b"graph", reads, answers, (16,))
        except CannotBuild as error:
            print(error)
        try:
            TensorrtLauncher(library, b"engine", "/proc/one.engine", reads, answers, (16,))
        except RuntimeUnavailable as error:
            print(error)
        print(inspect(library, b"engine"))
    """)
    assert answered.splitlines() == [
        "heard",
        "tactics 0.0",
        "tactics 0.5",
        "True",
        "the builder does not start: the library gave no reason",
        "runtime 'tensorrt' cannot serve: it does not start: the library gave no reason",
        "()",
    ]
