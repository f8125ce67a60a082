"""Which lanes are served, and what is told of what serves and what ``auto`` passed over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from classifiers.bundle.folder import Bundle
from classifiers.runtimes import opening
from classifiers.runtimes.device.contract import DeviceLost
from classifiers.runtimes.opening import RuntimeOptions
from classifiers.runtimes.rehearsal import Rehearsed
from classifiers.suite import default_bundles
from ops.command_line import main
from ops.commands import bundles
from ops.engines import PassedOver, Serving, open_classifiers, serving
from stream.errors import ConfigurationError, Fatal
from stream.sections import BatchingSettings, EnginesSettings, TopicsSettings
from stream.settings import Settings


def configured(runtime: str) -> Settings:
    """Return the default configuration with a runtime."""
    return Settings(engines=EnginesSettings(runtime=runtime, threads=1))


def with_bundles(*names: str, spectra: str = "spectra", alerts: tuple[str, ...] = ()) -> Settings:
    """Return a configuration with bundles and input topics."""
    return Settings(
        engines=EnginesSettings(bundles=names, runtime="onnxruntime", threads=1),
        topics=TopicsSettings(l1_spectrum=spectra, image_alert=alerts),
    )


@pytest.mark.parametrize(
    ("settings", "lane", "topic", "received"),
    [
        (with_bundles("qso-finder", alerts=("ztf",)), "image", "image_alert = ztf", "qso-finder"),
        (
            with_bundles("qso-finder", "jpas-qso-finder", alerts=("ztf", "lsst")),
            "image",
            "image_alert = ztf, lsst",
            "qso-finder, jpas-qso-finder",
        ),
        (with_bundles("stamp-anomaly", alerts=("ztf",)), "spectrum", "l1_spectrum = spectra", "stamp-anomaly"),
    ],
)
def test_an_input_topic_without_engines_is_refused(settings: Settings, lane: str, topic: str, received: str) -> None:
    """Else each of its records would be published as if it had been looked at."""
    told: list[PassedOver] = []
    with pytest.raises(ConfigurationError) as caught:
        open_classifiers(settings, told.append)
    assert str(caught.value) == (
        f"engines.bundles: expected an engine for the {lane} lane (topics.{topic}), received {received}"
    )
    assert told == []


@pytest.mark.parametrize(
    ("settings", "lanes"),
    [
        (with_bundles("qso-finder"), {"spectrum"}),
        (with_bundles("jpas-qso-finder"), {"narrowband"}),
        (with_bundles("qso-finder", "jpas-qso-finder"), {"spectrum", "narrowband"}),
        (with_bundles("stamp-anomaly", spectra="", alerts=("ztf",)), {"image"}),
        (with_bundles("qso-finder", "stamp-anomaly", alerts=("ztf",)), {"spectrum", "image"}),
    ],
)
def test_only_lanes_with_engines_are_served(settings: Settings, lanes: set[str]) -> None:
    """A survey needs the engines of its own kind of record alone; each lane that is served has some."""
    classifiers = open_classifiers(settings)
    assert set(classifiers) == lanes
    assert all(classifier.engines() for classifier in classifiers.values())


def test_each_runtime_passed_over_is_told_once_for_each_reason_with_its_bundles() -> None:
    """With ``auto`` the four bundles give no line twice; a runtime that serves a bundle was not passed over for it."""
    told: list[PassedOver] = []
    classifiers = open_classifiers(configured("auto"), told.append)
    assert len({(each.runtime, each.reason) for each in told}) == len(told)
    shipped = {folder.name for folder in default_bundles()}
    for group in serving(engine for classifier in classifiers.values() for engine in classifier.engines()):
        served = {bundle.split()[0] for bundle in group.bundles}
        assert served <= shipped
        for each in told:
            assert each.reason
            assert set(each.bundles) <= shipped
            assert each.runtime != group.runtime or not served & set(each.bundles)


def test_what_serves_is_one_entry_for_each_runtime_and_number_format() -> None:
    """Bundles that one runtime serves in one format stand together, in the order of the engines."""
    classifiers = open_classifiers(configured("onnxruntime"))
    engines = [engine for classifier in classifiers.values() for engine in classifier.engines()]
    names = tuple(f"{engine.name} {engine.version}" for engine in engines)
    assert serving(engines) == [Serving("onnxruntime", "fp32", names)]
    mixed = [engines[0], replace(engines[1], dtype="fp16"), *engines[2:]]
    assert serving(mixed) == [
        Serving("onnxruntime", "fp32", (names[0], *names[2:])),
        Serving("onnxruntime", "fp16", names[1:2]),
    ]


def test_a_named_runtime_that_cannot_serve_is_refused_and_never_replaced() -> None:
    """The error names the key and the runtime; nothing is told as passed over."""
    told: list[PassedOver] = []
    with pytest.raises(ConfigurationError, match=r"engines: .*tensorrt_rtx"):
        open_classifiers(configured("tensorrt_rtx"), told.append)
    assert told == []


@pytest.mark.parametrize(("max_records", "buckets"), [(16, (16,)), (256, (16, 64))])
def test_the_sizes_that_batches_of_the_service_may_have_are_rehearsed(
    max_records: int, buckets: tuple[int, ...]
) -> None:
    """What was rehearsed is told once for each program."""
    settings = Settings(
        engines=EnginesSettings(runtime="torch", device="cpu", bundles=("jpas-qso-finder", "spectral-anomaly")),
        batching=BatchingSettings(max_records=max_records),
    )
    told: list[Rehearsed] = []
    open_classifiers(settings, rehearsed=told.append)
    assert [(each.bundles, each.buckets, each.raw) for each in told] == [
        (("jpas-qso-finder",), buckets, False),
        (("spectral-anomaly",), buckets, True),
    ]


@pytest.fixture
def lost_device(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have torch's device fail whenever a program is opened on it; return the programs that were tried."""
    tried: list[str] = []

    def fail(program: Any, *_: object) -> Any:
        tried.append(program.name)
        raise DeviceLost("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(opening, "why_not", lambda *_: "")
    monkeypatch.setattr(opening, "_OPENERS", {"torch": fail})
    return tried


def test_a_device_that_fails_at_start_up_is_fatal_and_no_wrong_configuration(lost_device: list[str]) -> None:
    """A supervisor may start the service again on another machine: status 3, not 2."""
    with pytest.raises(Fatal, match="engines: the device failed: CUDA error"):
        open_classifiers(configured("torch"))
    assert len(lost_device) == 1


def test_bundles_are_not_verified_any_further_on_a_lost_device(
    lost_device: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every later one would fail for the same reason: one line, status 3, and nothing is freed on the way out."""

    def ended(status: int) -> NoReturn:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", ended)
    monkeypatch.setattr(sys, "argv", ["specstream", "bundles", "verify", "--runtime", "torch"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 3
    assert len(lost_device) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the device failed: CUDA error" in line


ABORTS = """
import os
import ops.command_line as program
from classifiers.runtimes.device.contract import DeviceLost
from stream.errors import Fatal

class Pinned:
    def __del__(self):
        os.abort()  # as torch does where memory of a lost device is freed

def app(**_):
    held = Pinned()
    print("some output")
    try:
        raise DeviceLost("CUDA error: an illegal memory access was encountered")
    except DeviceLost as error:
        raise Fatal("compute: the device failed") from error

program.app = app
program.main()
"""


def test_a_lost_device_ends_the_process_with_its_status_and_not_with_an_abort() -> None:
    """What the error's frames hold would abort the process while it is freed."""
    done = subprocess.run([sys.executable, "-c", ABORTS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "some output\n")
    assert done.stderr == "specstream: compute: the device failed\n"


def test_bundles_are_verified_together_as_they_serve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One call opens all that are intact, so that joined programs are those of the service; the cache is its own."""
    calls: list[tuple[list[str], Path | None]] = []
    right = bundles.open_engines

    def opened(of: Sequence[Bundle], options: RuntimeOptions, notice: Any) -> Any:
        calls.append(([bundle.manifest.name for bundle in of], options.cache))
        return right(of, options, notice)

    monkeypatch.setattr(bundles, "open_engines", opened)
    monkeypatch.setattr(sys, "argv", ["specstream", "bundles", "verify"])
    monkeypatch.setenv("SPECSTREAM_ENGINES__CACHE", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert calls == [([folder.name for folder in default_bundles()], tmp_path)]
    assert capsys.readouterr().out.count("golden answers agree") == len(default_bundles())
