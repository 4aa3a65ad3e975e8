"""Runs the notebooks: `python tests/support/notebook.py` does so in place, and keeps what they show.

Each runs in a kernel of its own, which is this Python and no other that may be installed, in its own
folder, without whatever the user has set up for notebooks.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "notebooks"
KERNEL: Final = {"display_name": "Python 3", "language": "python", "name": "python3"}
SVG: Final = "image/svg+xml"
#: What an SVG says by itself and in what form, without where it lies on the page, which depends on fonts.
_DRAWN: Final = re.compile(r'aria-label="([^"]*)"|\bd="([^"]*)"')
#: Numbers that no machine computes otherwise, beyond the digits that could be.
_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")


def main() -> None:
    """Run the notebooks that are named, or all, in place."""
    for path in [*map(Path, sys.argv[1:])] or sorted(FOLDER.glob("*.ipynb")):
        path.write_text(executed(path), encoding="utf-8")


def executed(path: Path) -> str:
    """A notebook with what its cells show now, as its file would be written. Raises if a cell fails."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from traitlets.config import Config

    class Own(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            started = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=started, display_name=KERNEL["display_name"], language=KERNEL["language"])

    # The package says that it has types, and has none for this.
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    with TemporaryDirectory() as own:
        settings = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        os.environ.update(dict.fromkeys(settings, own), TZ="UTC", JUPYTER_PLATFORM_DIRS="1")
        # Not over TCP: its ports are found free before they are taken, and tests run beside each other.
        config = Config({"KernelManager": {"transport": "ipc", "ip": f"{own}/kernel"}})
        client = NotebookClient(
            notebook,
            config=config,
            kernel_manager_class=Own,
            timeout=300,
            resources={"metadata": {"path": str(path.parent)}},
            coalesce_streams=True,  # what is printed comes in parts, cut where a clock says
        )
        client.execute()
    return written(notebook)


def written(notebook: Any) -> str:
    """A notebook as text, without all that changes from one run to the next."""
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    cells = [_cell(cell) for cell in notebook["cells"]]
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _cell(cell: Any) -> dict[str, Any]:
    kept = {"metadata": {}, "source": _lines(cell["source"])} | {name: cell[name] for name in ("cell_type", "id")}
    if cell["cell_type"] == "code":
        kept["execution_count"] = cell["execution_count"]
        kept["outputs"] = [_output(output) for output in cell["outputs"]]
    return kept


def _output(output: Any) -> dict[str, Any]:
    kept = {**output}
    if "text" in kept:
        kept["text"] = _lines(kept["text"])
    if "data" in kept:
        kept["metadata"] = {}
        kept["data"] = {kind: _lines(said) if isinstance(said, str) else said for kind, said in kept["data"].items()}
    return kept


def _lines(text: str | list[str]) -> list[str]:
    return "".join(text).splitlines(keepends=True)


def shown(notebook: str) -> Iterator[tuple[int, str, Any]]:
    """All that a notebook shows, as its file is written: number of the cell, kind, and content to compare."""
    for number, cell in enumerate(json.loads(notebook)["cells"], 1):
        for output in cell.get("outputs", ()):
            for kind, said in output.get("data", {"text": output.get("text")}).items():
                content = "".join(said) if isinstance(said, list) else said
                yield number, output.get("name", kind), drawn(content) if kind == SVG else content


def drawn(svg: str) -> list[str]:
    """What a picture shows: what each of its marks says it is, and its outline to a hundredth of a pixel."""
    marks = [said or outline for said, outline in _DRAWN.findall(svg)]
    return [_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", mark) for mark in marks]


if __name__ == "__main__":
    main()
