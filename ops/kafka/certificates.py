"""A certificate authority for a broker and its clients, made with the JDK's keytool; it holds for a week."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

from ops.kafka.errors import BrokerFailed
from ops.kafka.jars import java_command

VALID_DAYS = "7"
PASSWORD = "STORE_PASSWORD"  # noqa: S105 - the name of a variable


class Authority:
    """An authority that vouches for keys on this machine.

    Args:
        folder: Where its files go; made if missing, must not hold another authority.

    Attributes:
        certificate: Its certificate (PEM): what those who trust it are given.
        password: Of every key store that it makes (PKCS12).

    Raises:
        BrokerError: Java is missing, or keytool refused.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._store = folder / "authority.p12"
        self.password = secrets.token_hex(16)
        self.certificate = folder / "authority.pem"
        self._make_pair("authority", "-ext", "bc:c")
        shown = self._keytool("-exportcert", "-keystore", str(self._store), "-alias", "authority", "-rfc")
        self.certificate.write_text(shown, encoding="ascii")

    def vouch_for(self, name: str) -> Path:
        """Return a new key store with a key for this machine and its certificate, signed by the authority.

        Raises:
            BrokerError: keytool refused.
        """
        self._make_pair(name, "-ext", "san=dns:localhost,ip:127.0.0.1", "-signer", "authority")
        # A store of its own, without the key of the authority.
        store = self._folder / f"{name}.p12"
        self._keytool(
            "-importkeystore", "-srckeystore", str(self._store), "-srcstorepass:env", PASSWORD, "-srcalias", name,
            "-destkeystore", str(store), "-deststoretype", "PKCS12", of="-deststorepass:env",
        )  # fmt: skip
        return store

    def _make_pair(self, name: str, *arguments: str) -> None:
        self._keytool(
            "-genkeypair", "-keystore", str(self._store), "-storetype", "PKCS12", "-alias", name,
            "-dname", f"CN={name}", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", VALID_DAYS, *arguments,
        )  # fmt: skip

    def _keytool(self, *arguments: str, of: str = "-storepass:env") -> str:
        program = Path(java_command()).with_name("keytool")
        command = [str(program), "-J-XX:TieredStopAtLevel=1", *arguments, of, PASSWORD]
        environment = {PASSWORD: self.password}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise BrokerFailed(f"keytool {arguments[0]}: {' '.join((done.stdout or done.stderr).split())}")
        return done.stdout
