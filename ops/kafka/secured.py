"""A broker that serves TLS and asks who comes, to try client settings on: ``python -m ops.kafka.secured``.

| listener | encrypted | who comes | may |
| --- | --- | --- | --- |
| `bootstrap` | no | nobody is asked; this machine alone | everything: it is the administrator's |
| `tls` | yes | a client certificate of our authority | what access control lists allow |
| `sasl` | yes | name and password, SCRAM-SHA-512 | what access control lists allow; `OPERATOR` everything |

Certificates and the operator's password are made at each start and lie in the broker's folder.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.kafka.certificates import Authority
from ops.kafka.launcher import Broker, free_port, serve_until_stopped

MECHANISM = "SCRAM-SHA-512"
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """A broker with three listeners.

    Attributes:
        broker: The broker; its ``bootstrap`` is the open listener.
        tls: Where clients with a certificate connect, ``HOST:PORT``.
        sasl: Where clients with a name and a password connect, ``HOST:PORT``.
        authority: Vouches for the broker and its clients.
        client: Key store of a client with a certificate.
        accounts: Passwords by name.
    """

    broker: Broker
    tls: str
    sasl: str
    authority: Authority
    client: Path
    accounts: Mapping[str, str]

    def tls_client(self) -> dict[str, str]:
        """Return librdkafka's properties of a client of the listener ``tls``."""
        return {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "ssl.keystore.location": str(self.client),
            "ssl.keystore.password": self.authority.password,
        }

    def sasl_client(self, name: str) -> dict[str, str]:
        """Return librdkafka's properties of a client of the listener ``sasl``."""
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "sasl.mechanism": MECHANISM,
            "sasl.username": name,
            "sasl.password": self.accounts[name],
        }


def secured_settings(ports: Mapping[str, int], authority: Authority, keys: Path) -> dict[str, str]:
    """Return the broker settings of the listeners.

    Args:
        ports: Of ``PLAINTEXT``, ``SSL``, ``SASL_SSL`` and ``CONTROLLER``, on 127.0.0.1.
        authority: Whom the broker trusts.
        keys: The broker's key store.
    """
    listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    return {
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join(address for name, address in listeners.items() if name != "CONTROLLER"),
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports['CONTROLLER']}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(keys),
        "ssl.keystore.password": authority.password,
        "ssl.key.password": authority.password,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": MECHANISM,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{OPERATOR}",
    }


@contextmanager
def running_secured_broker(
    directory: Path | None = None,
    *,
    port: int | None = None,
    sasl_port: int | None = None,
    others: tuple[str, ...] = (),
    properties: Mapping[str, str] | None = None,
) -> Iterator[SecuredBroker]:
    """Run a secured broker for the length of a ``with`` block; without a directory its data go with it.

    Args:
        directory: Holds its data, its certificates and its log; must be empty or missing.
        port: Of the open listener; None: a free one.
        sasl_port: Of the listener ``sasl``; None: a free one.
        others: Accounts besides ``OPERATOR``, without any right.
        properties: Broker settings that have the last word.
    """
    with tempfile.TemporaryDirectory(prefix="specstream-kafka-", ignore_cleanup_errors=True) as temporary:
        folder = directory or Path(temporary)
        authority = Authority(folder / "certificates")
        keys, client = authority.vouch_for("server"), authority.vouch_for("client")
        accounts = {name: secrets.token_urlsafe(16) for name in (OPERATOR, *others)}
        ports = {"PLAINTEXT": port or free_port(), "SSL": free_port(), "SASL_SSL": sasl_port or free_port()}
        settings = {**secured_settings({**ports, "CONTROLLER": free_port()}, authority, keys), **(properties or {})}
        broker = Broker(folder, ports["PLAINTEXT"], settings, accounts={MECHANISM: accounts})
        try:
            broker.start()
            tls, sasl = (f"127.0.0.1:{ports[name]}" for name in ("SSL", "SASL_SSL"))
            yield SecuredBroker(broker, tls, sasl, authority, client, accounts)
        finally:
            broker.stop()


def main(arguments: list[str] | None = None) -> int:
    """Run a secured broker in a temporary folder until Ctrl-C or SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.kafka.secured", description="Run a real Apache Kafka with TLS and SASL, to try settings on."
    )
    parser.add_argument("--port", type=int, default=9094, help="port of 127.0.0.1 (default 9094; 0: a free one)")
    options = parser.parse_args(arguments)

    @contextmanager
    def greeted() -> Iterator[tuple[Broker, str]]:
        with running_secured_broker(sasl_port=options.port or None) as it:
            properties = "\n".join(f'"{key}" = "{value}"' for key, value in it.sasl_client(OPERATOR).items())
            yield it.broker, f'broker = "kafka://{it.sasl}"\n[kafka.librdkafka]\n{properties}\n# Ctrl-C stops it'

    return serve_until_stopped(greeted())


if __name__ == "__main__":
    sys.exit(main())
