"""Where the time of a first run goes: CPU seconds of each part of ``demandsim run guosen-2025-01``, as a picture.

Run it: ``python benchmarks/where_time_goes.py docs/images/where-time-goes.png``. All parts are timed in one process.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

#: Parts in the order in which they run; what each loads first counts as its own.
LIBRARIES = ["typer", "pydantic", "numpy", "scipy.special", "xarray", "matplotlib.figure"]


def parts() -> Iterator[tuple[str, float]]:
    """Name and CPU seconds of each part."""
    import importlib

    began = time.process_time()

    def lap(what: str) -> tuple[str, float]:
        nonlocal began
        before, began = began, time.process_time()
        return what, began - before

    for library in LIBRARIES:
        importlib.import_module(library)
        yield lap(f"import {library}")
    import demandsim as ds

    model = ds.load_study("guosen-2025-01")
    yield lap("load and check the study")
    draws = model.simulate(draws=8192, seed=1)
    yield lap("simulate (with dask and pint, which xarray loads)")
    ds.summarize(draws)
    yield lap("summarize")
    axes = ds.plots.distributions(draws, model.point(), of=model.presentation.pictured or None)
    yield lap("lay out the picture")
    with tempfile.TemporaryDirectory() as folder:
        ds.plots.save(axes, Path(folder) / "picture.png")
        yield lap("write the picture")
        from demandsim.sampling.store.netcdf import write_netcdf

        write_netcdf(draws, Path(folder) / "draws.nc")
        yield lap("write the draws (with distributed)")


def main() -> None:
    """Print the parts, and draw them into the file that is named."""
    found = list(parts())
    for what, seconds in found:
        print(f"{what:52} {seconds:6.2f} s")
    print(f"{'all':52} {sum(seconds for _, seconds in found):6.2f} s")
    if len(sys.argv) > 1:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.subplots()
        names = [what for what, _ in found][::-1]
        bars = axes.barh(names, [seconds for _, seconds in found][::-1], color="#0072B2")
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        axes.margins(x=0.1)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("CPU seconds, one fresh process")
        axes.set_title("demandsim run guosen-2025-01: where the time goes", loc="left")
        figure.savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()
