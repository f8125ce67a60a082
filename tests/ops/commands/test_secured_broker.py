"""Every command that connects, on a broker with TLS, SASL and access control lists: what works, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
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
COMMANDS = (
    "ingest FILE --to URL/specstream.l1.spectrum",
    "produce FILE --to URL/specstream.l1.spectrum",
    "simulate -n 1 --to URL/specstream.l1.spectrum",
    "tail URL/specstream.l2.classification",
    "archive URL/specstream.l1.spectrum --to file:FOLDER",
    "topics create",
    "ledger verify",
    "dead-letters list",
    "dead-letters show 0:0",
    "dead-letters redrive",
    "run",
)
CAUSES = ("ssl.ca.location", "sasl.password", "sasl.mechanism", "authorization failed")

Configure = Callable[..., Path]
Ended = tuple[int, str]


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


def test_accounts_with_the_documented_rights_and_no_others_do_a_nights_work(
    secured: SecuredBroker, specstream: Any, configure: Configure, topics: None
) -> None:
    """Once for each group protocol, of which ``run`` alone knows."""
    url = f"kafka://{secured.sasl}"
    ingester, runner, astronomer = (configure(name) for name in ("ingester", "runner", "astronomer"))
    simulate = ("simulate", "--to", f"{url}/{INPUT}", "-n", 3, "-c", ingester, "--seed")
    run = ("run", "-c", runner, "--until-idle", 1)
    for arguments, protocol, words in (
        ((*simulate, 1), "classic", "3 simulated records"),
        (run, "classic", '"records_in": 3, "records_out": 3, "records_dead": 0'),
        ((*simulate, 2), "consumer", "3 simulated records"),
        (run, "consumer", '"records_in": 3, "records_out": 3, "records_dead": 0'),
        (("tail", f"{url}/{L2}", "-n", 6, "-c", astronomer), "classic", "SDSS"),
        (("dead-letters", "list", "-c", astronomer), "classic", "no dead letters"),
        (("ledger", "verify", "-c", astronomer), "classic", "in = out + dead holds for 6 records"),
    ):
        done = specstream(*arguments, env={"SPECSTREAM_KAFKA__GROUP_PROTOCOL": protocol})
        assert done.returncode == 0, done.stderr
        assert words in done.stdout + done.stderr


@pytest.fixture(scope="module")
def refused(
    secured: SecuredBroker, configure: Configure, in_turn: Any, topics: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Ended]]:
    """Run every command with each configuration that the broker refuses; return how each ended, by cause and command.

    Nearly all of it is waiting, so the causes go side by side.
    """
    folder = tmp_path_factory.mktemp("refused")
    (folder / "message").write_bytes(b"x")
    other = Authority(folder / "authority")
    configurations = (
        configure(OPERATOR, {"ssl.ca.location": str(other.certificate)}),
        configure(OPERATOR, {"sasl.password": "not-the-password"}),
        configure(OPERATOR, {"sasl.mechanism": "PLAIN"}),
        configure("stranger"),
    )

    def line(command: str, config: Path) -> list[str]:
        names = {
            "URL": f"kafka://{secured.sasl}",
            "FILE": str(folder / "message"),
            "FOLDER": str(config.parent / "kept"),
        }
        for name, value in names.items():
            command = command.replace(name, value)
        return [*command.split(), "-c", str(config)]

    def ends(config: Path) -> dict[str, Ended]:
        return dict(zip(COMMANDS, in_turn([line(command, config) for command in COMMANDS]), strict=True))

    with ThreadPoolExecutor(len(configurations)) as threads:
        return dict(zip(CAUSES, threads.map(ends, configurations), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("cause", CAUSES)
def test_a_refusal_ends_the_command_in_one_line_that_names_the_cause(
    command: str, cause: str, refused: dict[str, dict[str, Ended]]
) -> None:
    status, said = refused[cause][command]
    assert status == 2, said
    *before, last = said.splitlines()
    assert cause in last.lower(), said
    assert "not-the-password" not in said
    assert "Traceback" not in said
    # The service has said what it is before; every other command says this line alone.
    assert before == [] or command == "run", said
