"""What is wrong in one size, slot or way in alone is found before anything is consumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.runtimes import onnx_cuda
from classifiers.runtimes.device.contract import SLOTS, DeviceLost, OutOfMemory
from classifiers.runtimes.device.prepare import SNR, DevicePreparation
from classifiers.runtimes.onnx_cuda import OnnxDevice, open_onnx_cuda
from classifiers.runtimes.opening import RuntimeOptions, open_engines
from classifiers.runtimes.program import Program
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.rehearsal import RehearsalFailed, rehearse
from classifiers.suite import MODELS
from tests.classifiers.runtimes.faulty import BUCKETS, Tensors, engine_of, spoiled


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
            row = wrong[63].view(-1)
            place = 700 % row.numel()
            row[place] += self._by * max(1, abs(row[place].item()))  # of its size, however bright the row


@pytest.mark.parametrize(
    ("name", "by", "found"),
    [
        ("flux", 1e-3, "found flux that differs by "),
        ("inverse_variance", 1e-3, "found inverse variance that differs by "),
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
    program = open_onnx_cuda(Program.of([bands]), "fp32", print, provider="CPUExecutionProvider", buckets=BUCKETS)
    engine = ProgramEngine("jpas-qso-finder", onnx_cuda.RUNTIME, "fp32", program)
    done = rehearse(engine)
    assert done is not None
    assert (done.buckets, done.slots) == (BUCKETS, 1)
    (redshift,) = (each.name for each in program.program.outputs if each.tensor.name == "redshift")
    right = OnnxDevice.wait

    def wrong(self: OnnxDevice, slot: int) -> Any:
        answers = right(self, slot)
        if len(answers[redshift]) == 64:
            answers[redshift][40] += 1.0
        return answers

    monkeypatch.setattr(OnnxDevice, "wait", wrong)
    with pytest.raises(RehearsalFailed, match="64 rows at once in slot 1 of 1"):
        rehearse(engine)


def test_a_bundle_without_golden_answers_is_refused(write_tiny: Any) -> None:
    """What is right is not known, so nothing may be classified with it."""
    folder = write_tiny("qso")
    manifest = json.loads((folder / "bundle.json").read_bytes())
    (folder / "golden.npz").unlink()
    del manifest["files"]["golden.npz"]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"golden.npz: expected golden inputs and answers, .* found none"):
        open_engines([load_bundle(folder)], RuntimeOptions("onnxruntime"))
