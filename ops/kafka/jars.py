"""Where the broker's jars are: resolved once by Maven from ``pom.xml`` and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ops.kafka.errors import BrokerFailed, ToolMissing

POM = Path(__file__).with_name("pom.xml")
MINIMUM_JAVA = 17


def java_command() -> str:
    """Return the path of a Java of version 17 or later: that of ``JAVA_HOME``, else the one on ``PATH``.

    Raises:
        ToolMissing: There is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        raise ToolMissing(
            f"java not found{f' in JAVA_HOME={home}' if home else ''}: "
            f"install a JDK {MINIMUM_JAVA} or later (Debian/Ubuntu: apt-get install openjdk-17-jre-headless)"
        )
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', shown)
    if version is None or int(version[1]) < MINIMUM_JAVA:
        raise ToolMissing(f"{java} is not Java {MINIMUM_JAVA} or later: {shown.strip().splitlines()[:1]}")
    return java


def cache_folder() -> Path:
    """Return where the jars of this ``pom.xml`` are kept: a folder of the user's cache, named by the file's digest."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "specstream" / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]


def resolve_jars() -> Path:
    """Return the folder that holds the broker's jars, having asked Maven for them the first time.

    The folder appears by one rename, so that processes that resolve at the same time do not see half of it.

    Raises:
        ToolMissing: Maven is needed and not installed.
        BrokerFailed: Maven could not resolve the jars.
    """
    folder = cache_folder()
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise ToolMissing("mvn not found: install Maven (Debian/Ubuntu: apt-get install maven)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="resolving-") as temporary:
        jars = Path(temporary) / "jars"
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            reason = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr.strip())
            raise BrokerFailed(f"Maven could not resolve the broker's jars: {reason}")
        try:
            jars.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder
