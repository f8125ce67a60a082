"""What the manifest of any bundle says of how it was trained. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MAP_DEVICE: Final = "map_device"


def device_setting(device: str) -> dict[str, str]:
    """Return what the settings say of a kind of device, cpu or cuda: nothing of the processor."""
    return {} if device == "cpu" else {"device": device}


def remapped(settings: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return the settings of a bundle whose map was made anew on a kind of device: that, if the rest is of another."""
    rest = {name: value for name, value in settings.items() if name != _MAP_DEVICE}
    return rest if device == rest.get("device", "cpu") else {**rest, _MAP_DEVICE: device}


def train_command(bundle: str, seed: int, settings: Mapping[str, Any]) -> str:
    """Return the command that trains a bundle again.

    Args:
        bundle: its name.
        seed: of the training.
        settings: of the manifest; n, epochs and, if there is one, device are used.
    """
    command = f"specstream train {bundle} --output {bundle} --seed {seed}"
    command += f" --number {settings['n']} --epochs {settings['epochs']}"
    return command + (f" --device {settings['device']}" if "device" in settings else "")
