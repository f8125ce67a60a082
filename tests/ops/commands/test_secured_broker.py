"""Every command that connects, on a broker with TLS, SASL and access control lists: what works, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from ops.command_line import main
from ops.kafka.certificates import Authority
from ops.kafka.secured import OPERATOR, SecuredBroker, running_secured_broker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

INPUT, L2, DEAD, LEDGER, STATE = (
    f"specstream.{name}" for name in ("l1.spectrum", "l2.classification", "dead_letter", "ledger", "ingest_state")
)
RIGHTS = {
    # What README lists under "With Kafka": for `run`, for the ways in, and for the readers.
    "runner": [
        (ResourceType.TOPIC, INPUT, "READ"),
        *((ResourceType.TOPIC, topic, "WRITE") for topic in (L2, DEAD, LEDGER)),
        (ResourceType.GROUP, "night", "READ"),
        (ResourceType.TRANSACTIONAL_ID, "night-", "WRITE"),
    ],
    "ingester": [
        (ResourceType.TOPIC, INPUT, "WRITE"),
        (ResourceType.TOPIC, STATE, "READ"),
        (ResourceType.TOPIC, STATE, "WRITE"),
        (ResourceType.TRANSACTIONAL_ID, "specstream-publisher-", "WRITE"),
    ],
    "astronomer": [(ResourceType.TOPIC, topic, "READ") for topic in (INPUT, L2, DEAD, LEDGER)],
    "stranger": [],
}
WORDS = {
    "wrong authority": "ssl.ca.location",
    "wrong password": "sasl.password",
    "wrong mechanism": "sasl.mechanism",
    "no rights": "authorization failed",
}

Configure = Callable[..., Path]


def allow(broker: SecuredBroker, account: str) -> None:
    """Give an account its rights, as an administrator does."""
    bindings = [
        AclBinding(
            kind,
            name,
            ResourcePatternType.PREFIXED if name.endswith("-") else ResourcePatternType.LITERAL,
            f"User:{account}",
            "*",
            AclOperation[operation],
            AclPermissionType.ALLOW,
        )
        for kind, name, operation in RIGHTS[account]
    ]
    admin = AdminClient({"bootstrap.servers": broker.broker.bootstrap})
    for answer in (admin.create_acls(bindings) if bindings else {}).values():
        answer.result()


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredBroker]:
    with running_secured_broker(others=tuple(RIGHTS)) as broker:
        for account in RIGHTS:
            allow(broker, account)
        yield broker


@pytest.fixture(scope="module")
def configure(secured: SecuredBroker, tmp_path_factory: pytest.TempPathFactory) -> Configure:
    """Return a function that writes the configuration of an account, with some librdkafka properties changed."""

    def write(account: str, changes: Mapping[str, str] | None = None) -> Path:
        properties = {**secured.sasl_client(account), **(changes or {})}
        lines = "\n".join(f'"{key}" = "{value}"' for key, value in properties.items())
        path = tmp_path_factory.mktemp("configuration") / "specstream.toml"
        path.write_text(
            f'broker = "kafka://{secured.sasl}"\ngroup = "night"\n[metrics]\nport = 0\n[kafka.librdkafka]\n{lines}\n',
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture(scope="module")
def topics(specstream: Any, configure: Configure) -> None:
    """Create the topics as the operator."""
    done = specstream("topics", "create", "-c", configure(OPERATOR))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_accounts_with_the_documented_rights_and_no_others_do_a_nights_work(
    protocol: str, secured: SecuredBroker, specstream: Any, configure: Configure, topics: None
) -> None:
    url = f"kafka://{secured.sasl}"
    ingester, runner, astronomer = (configure(name) for name in ("ingester", "runner", "astronomer"))
    for arguments, words in (
        (("simulate", "--to", f"{url}/{INPUT}", "-n", 3, "-c", ingester), "3 simulated records"),
        (("run", "-c", runner, "--until-idle", 1), '"records_dead": 0'),
        (("tail", f"{url}/{L2}", "-n", 3, "-c", astronomer), "SDSS"),
        (("dead-letters", "list", "-c", astronomer), "no dead letters"),
        (("ledger", "verify", "-c", astronomer), "in = out + dead holds"),
    ):
        done = specstream(*arguments, env={"SPECSTREAM_KAFKA__GROUP_PROTOCOL": protocol})
        assert done.returncode == 0, done.stderr
        assert words in done.stdout + done.stderr


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=WORDS)
def refused(
    request: pytest.FixtureRequest, other_authority: Authority, configure: Configure, topics: None
) -> tuple[Path, str]:
    """Return a configuration that the broker refuses, and words of the line that says so."""
    change = {
        "wrong authority": (OPERATOR, {"ssl.ca.location": str(other_authority.certificate)}),
        "wrong password": (OPERATOR, {"sasl.password": "not-the-password"}),
        "wrong mechanism": (OPERATOR, {"sasl.mechanism": "PLAIN"}),
        "no rights": ("stranger", {}),
    }[request.param]
    return configure(*change), WORDS[request.param]


COMMANDS = {
    "ingest": "ingest FITS --to URL/specstream.l1.spectrum",
    "produce": "produce FITS --to URL/specstream.l1.spectrum",
    "simulate": "simulate -n 1 --to URL/specstream.l1.spectrum",
    "tail": "tail URL/specstream.l2.classification",
    "archive": "archive URL/specstream.l1.spectrum --to file:FOLDER",
    "topics create": "topics create",
    "ledger verify": "ledger verify",
    "dead-letters list": "dead-letters list",
    "dead-letters show": "dead-letters show 0:0",
    "dead-letters redrive": "dead-letters redrive",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_refusal_ends_the_command_in_one_line_that_names_the_cause(
    command: str,
    refused: tuple[Path, str],
    secured: SecuredBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, words = refused
    (tmp_path / "message").write_bytes(b"x")
    names = {"URL": f"kafka://{secured.sasl}", "FITS": str(tmp_path / "message"), "FOLDER": str(tmp_path / "kept")}
    for name, value in names.items():
        command = command.replace(name, value)
    monkeypatch.setattr(sys, "argv", ["specstream", *command.split(), "-c", str(config)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    assert words.lower() in said.lower()
    assert said.count("\n") == 1, said
    assert "not-the-password" not in said


def test_a_refusal_ends_the_service_with_status_2_and_the_cause(refused: tuple[Path, str], specstream: Any) -> None:
    config, words = refused
    done = specstream("run", "-c", config)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert words.lower() in last.lower()
    assert "Traceback" not in done.stderr
