"""Make the sample world and its tiny backbones: `python -m sample [--only dataset|tiny-clip|tiny-llama]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from sample.dataset import dataset_texts, write_dataset
from sample.world import load_world

DATA = Path("data")
PARTS = ("dataset", "tiny-clip", "tiny-llama")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="make one part alone")
    parser.add_argument("--data", type=Path, default=DATA, help="where to write (default: data)")
    arguments = parser.parse_args()
    parts = [arguments.only] if arguments.only else PARTS
    world, posts, backbones = load_world(), arguments.data / "sample", arguments.data / "backbones"
    if "dataset" in parts:
        write_dataset(world, posts)
    if "tiny-clip" in parts:
        from sample import tiny_clip

        tiny_clip.make(backbones / "tiny-clip")
    if "tiny-llama" in parts:
        from sample import tiny_llama

        tiny_llama.make(world, dataset_texts(posts), backbones / "tiny-llama")


if __name__ == "__main__":
    main()
