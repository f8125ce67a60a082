"""What is wrong in one size, slot or way in alone is found before anything is consumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.runtimes import onnx_cuda, opening
from classifiers.runtimes.device.contract import SLOTS, DeviceLost, OutOfMemory
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.prepare import SNR, DevicePreparation
from classifiers.runtimes.device.preparing import PreparingPipeline
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.onnx_cuda import OnnxProgram
from classifiers.runtimes.opening import RuntimeOptions, open_engines
from classifiers.runtimes.program import Program
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.rehearsal import RehearsalFailed, rehearse
from classifiers.runtimes.torch_runtime import TorchLauncher, torch_launcher
from classifiers.suite import MODELS

BUCKETS = (16, 64)
ON_TORCH = RuntimeOptions("torch", device="cpu")
Tensors = Mapping[str, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def bands() -> Bundle:
    """Return a bundle that reads what is prepared on the CPU alone."""
    return load_bundle(MODELS / "jpas-qso-finder")


@pytest.fixture(scope="module")
def spectra() -> Bundle:
    """Return one whose inputs a device prepares itself."""
    return load_bundle(MODELS / "spectral-anomaly")


@dataclass
class Faulty:
    """A ``Launcher`` that computes rightly but where it is told otherwise.

    Attributes:
        true: what computes.
        spoil: changes the outputs of a slot and bucket once they are computed, or raises.
        launched: slots and buckets, in turn.
    """

    true: TorchLauncher
    spoil: Callable[[int, int, Tensors], None]
    launched: list[tuple[int, int]] = field(default_factory=list)
    outputs: dict[tuple[int, int], Tensors] = field(default_factory=dict)

    def prepare(self, slot: int, bucket: int, inputs: Tensors, outputs: Tensors) -> None:
        self.outputs[slot, bucket] = outputs
        self.true.prepare(slot, bucket, inputs, outputs)

    def launch(self, slot: int, bucket: int) -> None:
        self.launched.append((slot, bucket))
        self.true.launch(slot, bucket)
        self.spoil(slot, bucket, self.outputs[slot, bucket])

    def forget(self, slot: int, bucket: int) -> None:
        self.true.forget(slot, bucket)


def engine_of(
    bundle: Bundle,
    spoil: Callable[[int, int, Tensors], None] = lambda *_: None,
    preparation: DevicePreparation | None = None,
    buckets: tuple[int, ...] = BUCKETS,
) -> tuple[ProgramEngine, Faulty]:
    """Return an engine on CPU tensors, and what launches."""
    program = Program.of([bundle])
    outputs = {each.name: each.tensor for each in program.outputs}
    launcher = Faulty(torch_launcher(program, "fp32", "cpu"), spoil)
    pipeline = Pipeline(program, TensorDevice(launcher, program.inputs, outputs, preparation=preparation), buckets)
    grid = bundle.manifest.grid
    preparing = None
    if preparation is not None and grid is not None:
        preparing = PreparingPipeline(pipeline, preparation, grid.grid())
    return ProgramEngine(bundle.manifest.name, "torch", "fp32", pipeline, preparing), launcher


def spoiled(output: str, slot: int, bucket: int, row: int, by: float) -> Callable[[int, int, Tensors], None]:
    """Return what changes one row of one output in one slot at one size."""

    def spoil(at: int, size: int, outputs: Tensors) -> None:
        if (at, size) == (slot, bucket):
            outputs[output][row] += by

    return spoil


def test_every_size_is_computed_in_every_slot(bands: Bundle) -> None:
    """All slots are busy at once, each with a full bucket."""
    engine, launcher = engine_of(bands)
    done = rehearse(engine)
    assert done is not None
    assert (done.bundles, done.buckets, done.slots, done.raw) == (("jpas-qso-finder",), BUCKETS, SLOTS, False)
    assert launcher.launched == [(slot, bucket) for bucket in BUCKETS for slot in range(SLOTS)]


@pytest.mark.parametrize(("largest", "buckets"), [(1, (16,)), (16, (16,)), (17, BUCKETS), (5000, BUCKETS)])
def test_sizes_that_no_batch_will_have_are_left_alone(bands: Bundle, largest: int, buckets: tuple[int, ...]) -> None:
    """Memory and time for them are not spent."""
    engine, launcher = engine_of(bands)
    done = rehearse(engine, largest)
    assert done is not None
    assert done.buckets == buckets
    assert {bucket for _, bucket in launcher.launched} == set(buckets)


@pytest.mark.parametrize(("slot", "bucket", "row"), [(0, 64, 0), (2, 16, 15), (1, 64, 63)])
@pytest.mark.parametrize(
    ("output", "by", "found"),
    [
        ("redshift", 0.01, "redshift differs by"),
        ("score", float("nan"), "differs by nan"),
        ("contribution", 1e4, "of its size an output differs by"),
    ],
)
def test_one_wrong_row_in_one_slot_at_one_size_is_found(
    bands: Bundle, slot: int, bucket: int, row: int, output: str, by: float, found: str
) -> None:
    """The line names program, size, slot, what was expected and found, and what to do."""
    engine, _ = engine_of(bands, spoiled(f"jpas-qso-finder/{output}", slot, bucket, row, by))
    with pytest.raises(RehearsalFailed) as raised:
        rehearse(engine)
    said = str(raised.value)
    assert said.startswith(
        f"runtime 'torch' cannot serve: jpas-qso-finder in fp32, {bucket} rows at once in slot {slot + 1} of 3: "
        "expected golden answers of jpas-qso-finder within its tolerances, found "
    )
    assert found in said
    assert said.endswith("; take another engines.runtime or engines.dtype, or mend the driver or the card")
    assert (raised.value.program, raised.value.bucket, raised.value.slot) == ("jpas-qso-finder", bucket, slot)
    assert "\n" not in said


def test_a_slot_that_answers_for_its_neighbour_is_found(bands: Bundle) -> None:
    """Slots are given other rows at once, so that nobody can take another's."""

    def spoil(slot: int, bucket: int, outputs: Tensors) -> None:
        if slot == 1:
            for values in outputs.values():
                values.copy_(torch.roll(values, 1, 0))  # what slot 0 was given is one row behind

    engine, _ = engine_of(bands, spoil)
    with pytest.raises(RehearsalFailed, match="slot 2 of 3"):
        rehearse(engine)


@pytest.mark.parametrize("name", ["jpas-qso-finder", "spectral-anomaly"])
def test_a_size_smaller_than_the_golden_inputs_is_given_all_of_them_part_by_part(name: str) -> None:
    """What a slot says of the last of them is compared as well."""
    bundle, counts = load_bundle(MODELS / name), [0] * SLOTS
    engine, launcher = engine_of(bundle, preparation=DevicePreparation(), buckets=(3, 16))
    assert rehearse(engine) is not None
    assert launcher.launched[: 3 * SLOTS] == [(slot, 3) for _ in range(3) for slot in range(SLOTS)]

    def spoil(slot: int, bucket: int, outputs: Tensors) -> None:
        counts[slot] += bucket == 3
        if bucket == 3 and slot == 1 and counts[slot] == 3:
            outputs[f"{name}/score"][1] += 100.0

    with pytest.raises(RehearsalFailed, match="3 rows at once in slot 2 of 3"):
        rehearse(engine_of(bundle, spoil, buckets=(3, 16))[0])


def test_raw_spectra_are_rehearsed_where_the_device_prepares_them(spectra: Bundle) -> None:
    """In every size and slot, too: other buffers and graphs compute them."""
    engine, launcher = engine_of(spectra, preparation=DevicePreparation())
    done = rehearse(engine)
    assert done is not None
    assert done.raw
    places = [(slot, bucket) for bucket in BUCKETS for slot in range(SLOTS)]
    assert all(launcher.launched.count(place) >= 2 for place in places)


class WrongPreparation(DevicePreparation):
    """Prepares rightly but for one number of one row of full batches."""

    def __init__(self, name: str, by: float) -> None:
        self._name, self._by = name, by

    def launch(self, raw: Tensors, inputs: Tensors, outputs: Tensors) -> None:
        super().launch(raw, inputs, outputs)
        wrong = {**inputs, **outputs}[self._name]
        if len(wrong) == 64:
            wrong[63].view(-1)[700 % wrong[63].numel()] += self._by


@pytest.mark.parametrize(
    ("name", "by", "found"),
    [
        ("flux", 1e-3, "found flux that differs by "),
        ("inverse_variance", 0.1, "found inverse variance that differs by "),
        ("prepared/scale", float("nan"), "found scale that differs by nan"),
        (SNR, 0.1, "found snr that differs by "),
        ("prepared/flags", 1, "found other quality flags"),
        ("prepared/count", 1, "found another coverage"),
    ],
)
def test_raw_spectra_that_are_prepared_otherwise_than_on_the_cpu_are_found(
    spectra: Bundle, name: str, by: float, found: str
) -> None:
    """Golden inputs are prepared already and would show nothing of it."""
    engine, _ = engine_of(spectra, preparation=WrongPreparation(name, by))
    with pytest.raises(RehearsalFailed, match="raw spectra prepared as on the CPU") as raised:
        rehearse(engine)
    assert found in str(raised.value)
    assert "spectral-anomaly in fp32, 64 rows at once in slot 1 of 3" in str(raised.value)


def test_wrong_answers_to_raw_spectra_alone_are_found(spectra: Bundle) -> None:
    """Prepared as on the CPU, and answered by a computation that went wrong."""
    raw: list[bool] = []

    class Noting(DevicePreparation):
        def launch(self, *arguments: Tensors) -> None:
            raw.append(True)
            super().launch(*arguments)

    def spoil(slot: int, bucket: int, outputs: Tensors) -> None:
        if raw and (slot, bucket) == (1, 16):
            outputs["spectral-anomaly/score"].mul_(1.5)

    engine, _ = engine_of(spectra, spoil, Noting())
    with pytest.raises(RehearsalFailed, match=r"16 rows.*slot 2.*answers to raw spectra.*of spectral-anomaly"):
        rehearse(engine)


def no_room(least: int) -> Callable[[int, int, Tensors], None]:
    """Return what finds no memory for so many rows and more."""

    def spoil(slot: int, bucket: int, outputs: Tensors) -> None:
        if bucket >= least:
            raise OutOfMemory(bucket, "full")

    return spoil


@pytest.mark.parametrize("name", ["jpas-qso-finder", "spectral-anomaly"])
def test_a_size_without_room_is_given_up_and_the_others_are_rehearsed(name: str) -> None:
    """As in the stream."""
    engine, _ = engine_of(load_bundle(MODELS / name), no_room(64), DevicePreparation())
    done = rehearse(engine)
    assert done is not None
    assert done.buckets == engine.program.buckets == (16,)


def test_no_room_at_all_is_out_of_memory(bands: Bundle) -> None:
    with pytest.raises(OutOfMemory, match="16 rows"):
        rehearse(engine_of(bands, no_room(1))[0])


def test_a_device_that_is_lost_is_lost(bands: Bundle) -> None:
    """Another replica may serve; nothing is wrong with the configuration."""

    def spoil(slot: int, bucket: int, outputs: Tensors) -> None:
        if (slot, bucket) == (2, 64):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(DeviceLost, match="illegal memory access"):
        rehearse(engine_of(bands, spoil)[0])


def test_sessions_of_the_cuda_provider_are_rehearsed_in_every_size(
    bands: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here on the provider for the CPU; there is one session, so one slot."""
    program = OnnxProgram(Program.of([bands]), "CPUExecutionProvider", BUCKETS)
    engine = ProgramEngine("jpas-qso-finder", onnx_cuda.RUNTIME, "fp32", program)
    done = rehearse(engine)
    assert done is not None
    assert (done.buckets, done.slots) == (BUCKETS, 1)
    right = OnnxProgram.run

    def wrong(self: OnnxProgram, inputs: Any, *, bucket: int | None = None) -> Any:
        answers = right(self, inputs, bucket=bucket)
        if bucket == 64:
            answers["jpas-qso-finder"]["redshift"][40] += 1.0
        return answers

    monkeypatch.setattr(OnnxProgram, "run", wrong)
    with pytest.raises(RehearsalFailed, match="64 rows at once in slot 1 of 1"):
        rehearse(engine)


def test_bundles_without_golden_inputs_rehearse_nothing(write_tiny: Any) -> None:
    """What is right is not known."""
    program = OnnxProgram(Program.of([load_bundle(write_tiny("qso"))]), "CPUExecutionProvider", BUCKETS)
    assert rehearse(ProgramEngine("tiny-qso", onnx_cuda.RUNTIME, "fp32", program)) is None


def test_engines_on_torch_are_opened_with_a_rehearsal_and_those_on_the_cpu_need_none(bands: Bundle) -> None:
    (done,) = open_engines([bands], RuntimeOptions("torch", device="cpu", largest_batch=16)).rehearsals
    assert (done.bundles, done.buckets, done.slots) == (("jpas-qso-finder",), (16,), SLOTS)
    assert done.seconds > 0
    assert open_engines([bands], RuntimeOptions("onnxruntime")).rehearsals == ()


@pytest.fixture
def faulty_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch answer wrongly where 64 rows are computed at once in the last slot."""

    def opened(program: Program, *_: object) -> Any:
        name = f"{program.bundles[0].manifest.name}/redshift"
        return engine_of(program.bundles[0], spoiled(name, 2, 64, 7, 1.0))[0].program

    monkeypatch.setattr(opening, "_OPENERS", {"torch": opened})


@pytest.mark.usefixtures("faulty_torch")
def test_a_named_runtime_that_fails_its_rehearsal_is_refused(bands: Bundle) -> None:
    with pytest.raises(RuntimeUnavailable, match="64 rows at once in slot 3 of 3"):
        open_engines([bands], ON_TORCH)


@pytest.mark.usefixtures("faulty_torch")
def test_auto_goes_on_to_the_next_runtime_and_says_why(bands: Bundle) -> None:
    """The bundle gave its golden answers: the runtime is at fault, and another may serve."""
    opened = open_engines([bands], RuntimeOptions(device="cpu"))
    assert opened.engines[0].runtime == "onnxruntime"
    reasons = dict(opened.refusals)
    assert "64 rows at once in slot 3 of 3: expected golden answers" in reasons["torch"]
    assert opened.rehearsals == ()


def test_bundles_that_are_one_program_are_rehearsed_as_one() -> None:
    """They share buffers and graphs; each of their answers is compared."""
    bundles = [load_bundle(MODELS / name) for name in ("spectral-anomaly", "qso-finder")]
    (done,) = open_engines(bundles, RuntimeOptions("torch", device="cpu", largest_batch=16)).rehearsals
    assert (done.bundles, done.raw) == (("spectral-anomaly", "qso-finder"), True)
