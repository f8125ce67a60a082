"""What is wrong ends the program in one line, with 2 or 3, a check that failed with 1, and nothing is consumed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifiers.suite import default_bundles
from stream.transports.folder import FolderTransport

ROOT = Path(__file__).resolve().parents[3]


def one_line(done: Any) -> str:
    """Return what was said by a program that was to say one line."""
    assert "Traceback" not in done.stderr
    lines: list[str] = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.slow
def test_a_wrong_configuration_is_named_in_one_line(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Unknown key, wrong type, wrong value, no TOML, unknown variable, missing file: exit 2 and the key."""
    broker = f"file:{tmp_path / 'night'}"
    cases = {
        "[batching]\nmax_record = 3": "batching.max_record",
        '[batching]\nmax_records = "many"': "batching.max_records",
        '[engines]\nruntime = "abacus"': "engines.runtime",
        "image_alert = [": "TOML",
    }
    for more, word in cases.items():
        config = write_config(tmp_path / "s.toml", broker, more)
        done = specstream("run", "-c", config, "--until-idle", "0")
        assert done.returncode == 2
        assert word in one_line(done)
    config = write_config(tmp_path / "s.toml", broker)
    done = specstream("ledger", "verify", "-c", config, env={"SPECSTREAM_BATCHING__MAXRECORDS": "3"})
    assert done.returncode == 2
    assert "batching.maxrecords" in one_line(done)
    done = specstream("run", "-c", tmp_path / "absent.toml")
    assert done.returncode == 2
    assert "absent.toml" in one_line(done)
    assert not (tmp_path / "night").exists()


@pytest.mark.slow
def test_a_damaged_bundle_or_an_absent_runtime_stops_before_anything_is_read(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A flipped byte, no engine for a topic, no TensorRT, a taken port: exit 2, and the group has no offsets.

    To ``bundles verify`` the flipped byte is what it looks for: the check failed, exit 1.
    """
    broker = f"file:{tmp_path / 'night'}"
    done = specstream("simulate", "--to", f"{broker}/specstream.l1.spectrum", "-n", "3")
    assert done.returncode == 0, done.stderr
    before = sorted(path.name for path in (tmp_path / "night" / "commits").iterdir())
    damaged = tmp_path / "damaged"
    shutil.copytree(default_bundles()[0], damaged)
    graph = damaged / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    verified = specstream("bundles", "verify", damaged, default_bundles()[1])
    assert verified.returncode == 1
    assert "model.onnx" in one_line(verified)
    assert default_bundles()[1].name in verified.stdout
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for more, at, words in (
            (f'[engines]\nbundles = ["{damaged}"]', 0, ("engines", "model.onnx", "sha256")),
            ('[engines]\nbundles = ["no-such-bundle"]', 0, ("engines.bundles", "no-such-bundle")),
            ('[engines]\nbundles = ["stamp-anomaly"]', 0, ("engines.bundles", "topics.l1_spectrum", "stamp-anomaly")),
            ('[engines]\nruntime = "tensorrt_rtx"', 0, ("engines", "tensorrt_rtx")),
            ('[engines]\nruntime = "tensorrt"', 0, ("engines", "'tensorrt' cannot serve: expected ", "found")),
        ):
            config = write_config(tmp_path / "s.toml", broker, more, port=at)
            done = specstream("run", "-c", config, "--until-idle", "0")
            assert done.returncode == 2
            line = one_line(done)
            assert all(word in line for word in words), line
        config = write_config(tmp_path / "s.toml", broker, port=port)
        done = specstream("run", "-c", config, "--until-idle", "0")
        assert done.returncode == 2
        assert f"metrics.port: expected a free port on 127.0.0.1, {port} gave" in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in (tmp_path / "night" / "commits").iterdir()) == before


@pytest.mark.slow
def test_one_group_has_one_process_on_a_folder_and_a_fall_back_is_logged(
    specstream: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """A second process with the group ends with 3; what serves is one line, each runtime passed over one with why."""
    broker = f"file:{tmp_path / 'night'}"
    config = write_config(tmp_path / "s.toml", broker)
    holder = FolderTransport(tmp_path / "night", ["specstream.l1.spectrum"], "g")
    try:
        done = specstream("run", "-c", config, "--until-idle", "0")
    finally:
        holder.close()
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    passed_over = [line for line in said if line["event"] == "runtime passed over"]
    served = [line for line in said if line["event"] == "serving"]
    assert len({(line["runtime"], line["reason"]) for line in passed_over}) == len(passed_over)
    assert len({(line["runtime"], line["dtype"]) for line in served}) == len(served)
    names = sorted(bundle.split()[0] for line in served for bundle in line["bundles"])
    assert names == sorted(folder.name for folder in default_bundles())
    if not any(line["runtime"] == "tensorrt" for line in served):
        (line,) = (line for line in passed_over if line["runtime"] == "tensorrt")
        assert line["reason"]
        assert sorted(line["bundles"]) == names


@pytest.mark.slow
@pytest.mark.kafka
def test_a_missing_topic_on_kafka_is_named(
    specstream: Any, write_config: Callable[..., Path], broker_url: str, tmp_path: Path
) -> None:
    """Exit 2 with the topic and what to do, for the service and for readers."""
    config = write_config(tmp_path / "s.toml", f"kafka://{broker_url}", prefix="absent")
    done = specstream("run", "-c", config, "--until-idle", "0")
    assert done.returncode == 2
    assert "absent." in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    done = specstream("tail", f"kafka://{broker_url}/absent.l2")
    assert done.returncode == 2
    assert "absent.l2" in one_line(done)


@pytest.mark.slow
@pytest.mark.kafka
def test_what_writes_to_a_missing_topic_on_kafka_says_so_in_one_line(
    specstream: Any, broker_url: str, tmp_path: Path
) -> None:
    """Before a transaction is begun: nothing to abort, nothing to try again, and nothing that alarms."""
    spectra, alert = tmp_path / "spectra", tmp_path / "alert.avro"
    assert specstream("simulate", "--fits", spectra, "-n", 1).returncode == 0
    alert.write_bytes(b"Obj\x01")
    for command in (("ingest", spectra), ("produce", alert), ("simulate", "-n", 1)):
        topic = f"absent.{command[0]}"
        done = specstream(*command, "--to", f"kafka://{broker_url}/{topic}")
        assert done.returncode == 2
        line = one_line(done)
        assert f"topic {topic!r}" in line
        assert "create it with `specstream topics create`" in line


@pytest.mark.slow
def test_a_missing_folder_topic_is_named_with_those_there_are(specstream: Any, tmp_path: Path) -> None:
    """``tail`` of a mistyped topic does not look empty."""
    done = specstream("simulate", "--to", f"file:{tmp_path}/night/spectra", "-n", "1")
    assert done.returncode == 0, done.stderr
    done = specstream("tail", f"file:{tmp_path}/night/spectrum")
    assert done.returncode == 2
    line = one_line(done)
    assert "spectrum" in line
    assert "spectra" in line


@pytest.mark.slow
def test_an_interrupt_while_a_compiled_module_is_imported_is_an_interrupt(
    start_command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime makes an ImportError of it; any other ImportError stays what it is."""
    for cause, status, said in (
        ("KeyboardInterrupt", 130, "specstream: interrupted\n"),
        ("OSError", 1, "ImportError: initialization failed\n"),
    ):
        module = tmp_path / cause / "onnxruntime.py"
        module.parent.mkdir()
        module.write_text(f"raise ImportError('initialization failed') from {cause}()\n")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(module.parent), str(ROOT)]))
        command = start_command("classify", "spectrum.fits")
        assert command.end() == status, command.log
        assert command.log.endswith(said)
        assert ("Traceback" in command.log) == (status == 1)


COMMANDS = (
    "run",
    "ingest FILE --to URL",
    "produce FILE --to URL",
    "simulate -n 1 --to URL",
    "tail URL",
    "archive URL --to FOLDER",
    "topics create",
    "ledger verify",
    "dead-letters list",
    "dead-letters redrive",
)


@pytest.mark.slow
def test_a_wrong_librdkafka_property_ends_every_command_in_one_line_before_a_broker_is_waited_for(
    in_turn: Any, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Whichever of its clients it is for; the service has not said that it started, nor opened an engine."""
    file = tmp_path / "message"
    file.write_bytes(b"Obj\x01")
    names = {"URL": "kafka://127.0.0.1:1/topic", "FILE": str(file), "FOLDER": f"file:{tmp_path / 'kept'}"}
    wrong = {'"sasl.mechanizm" = "PLAIN"': "sasl.mechanizm", '"linger.ms" = "soon"': "queue.buffering.max.ms"}
    lines, words = [], []
    for number, (setting, named) in enumerate(wrong.items()):
        config = write_config(tmp_path / f"{number}.toml", "kafka://127.0.0.1:1", f"[kafka.librdkafka]\n{setting}")
        for command in COMMANDS:
            lines.append([*(names.get(word, word) for word in command.split()), "-c", str(config)])
            words.append(named)
    for line, named, (status, said) in zip(lines, words, in_turn(lines), strict=True):
        assert status == 2, (line, said)
        (only,) = said.strip().splitlines()
        assert "kafka.librdkafka: " in only
        assert named in only


def test_output_that_cannot_be_written_is_refused_before_the_work(
    data_dir: Path, tmp_path: Path, specstream: Any
) -> None:
    """A folder under the table's name, or no folder at all."""
    (tmp_path / "verdicts.ecsv").mkdir()
    for name in ("verdicts.ecsv", "nowhere/verdicts.ecsv"):
        done = specstream("classify", data_dir / "fits", "-o", tmp_path / name)
        assert done.returncode == 2
        assert "expected a file in a folder that is there" in one_line(done)


def test_labels_that_are_no_text_and_seeds_below_0_are_wrong_usage(tmp_path: Path, specstream: Any) -> None:
    (tmp_path / "labels.csv").write_bytes(b"l1_id,class_name\n\xff\xfe,QSO_nan\n")
    topic = f"file:{tmp_path / 'spool'}/l1"
    done = specstream("calibrate", "--labels", tmp_path / "labels.csv", "--spectra", topic, "-o", tmp_path / "mine")
    assert done.returncode == 2
    assert "expected text in UTF-8 with columns" in one_line(done)
    done = specstream("simulate", "--to", topic, "-n", 2, "--seed", -1)
    assert done.returncode == 2
    assert "--seed" in one_line(done)


@pytest.mark.slow
def test_a_terminal_without_the_letters_and_a_closed_one_end_nothing(data_dir: Path) -> None:
    """What an encoding lacks is escaped; what nobody hears is not said."""
    spectrum = str(data_dir / "fits" / "sdss-spec-1599-53089-0469.fits")
    command = [sys.executable, "-m", "ops", "classify", spectrum]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\xb1 z" in done.stdout
    closed = f"exec {sys.executable} -m ops bundles list >&-"
    done = subprocess.run(["sh", "-c", closed], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
