"""The measurements as a picture: spectra a second by bucket, and how much of the bound was reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def draw(document: dict[str, Any], path: Path) -> None:
    """Write the picture of a document of measurements as PNG."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5), layout="constrained")
    series: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in document["engines"]:
        if each["engine"] == "all":
            series.setdefault((each["runtime"], each["dtype"]), []).append(each)
    for (runtime, dtype), found in series.items():
        buckets = [each["bucket"] for each in found]
        (line,) = left.plot(buckets, [each["spectra_per_s"] for each in found], "o-", label=f"{runtime} {dtype}")
        alone = [(each["bucket"], each["device_only_spectra_per_s"]) for each in found]
        alone = [(bucket, rate) for bucket, rate in alone if rate is not None]
        if alone:
            left.plot(*zip(*alone, strict=True), "o:", color=line.get_color(), alpha=0.6)
        right.plot(buckets, [each["roofline"]["reached"] for each in found], "o-", color=line.get_color())
    machine = document["machine"]
    ticks = sorted({each["bucket"] for each in document["engines"]})
    right.set(xscale="log", xlabel="rows at once", ylabel="fraction of the bound, host to host")
    left.set(xscale="log", yscale="log", xlabel="rows at once", ylabel="spectra/s, all engines (dotted: device only)")
    left.set_title(machine.get("gpu", f"{machine['cores']} cores of {machine['processor']}"))
    left.legend(fontsize="small")
    for axes in (left, right):
        axes.set_xticks(ticks, [str(bucket) for bucket in ticks])
        axes.minorticks_off()
    right.axhline(0.6, color="grey", linestyle="--", linewidth=1)
    right.set_ylim(bottom=0)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
