"""Make the sample world and its tiny models: `python -m sample`, or one part alone with `--only`."""

from __future__ import annotations

import argparse
from pathlib import Path

from sample.dataset import dataset_texts, write_dataset, write_notes
from sample.world import load_world

DATA = Path("data")
# The default backbone, and what it is compared with.
BACKBONES = ("tiny-clip", "tiny-llama")
CLASSIFIERS = ("tiny-resnet", "tiny-beit")
LLMS = ("tiny-llama-1", "tiny-opt-1", "tiny-opt-2", "tiny-opt-3", "tiny-opt-4")
PARTS = ("dataset", *BACKBONES, *CLASSIFIERS, *LLMS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="make one part alone")
    parser.add_argument("--data", type=Path, default=DATA, help="where to write (default: data)")
    arguments = parser.parse_args()
    for part in [arguments.only] if arguments.only else PARTS:
        make(part, arguments.data)


def make(part: str, data: Path) -> None:
    """Make one part in the data folder; the LLMs need the data set, whose texts they must not meet."""
    folder = data / ("backbones" if part in BACKBONES else "members") / part
    if part == "dataset":
        write_dataset(load_world(), data / "sample")
        write_notes(data)
    elif part == "tiny-clip":
        from sample import tiny_clip

        tiny_clip.make(folder)
    elif part in CLASSIFIERS:
        from sample import tiny_classifiers

        tiny_classifiers.make(part, folder)
    else:
        from sample import tiny_llms

        tiny_llms.make(part, load_world(), dataset_texts(data / "sample"), folder)


if __name__ == "__main__":
    main()
