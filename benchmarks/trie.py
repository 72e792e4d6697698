"""Size and speed of the packed trie, beside a trie of nested dicts and marisa-trie.

Names are taken from files (one a line, plain or .gz) and filled up to the size asked for by recombining them: the front
of one with the last word of another. Each part runs in a process of its own, so that its memory is its own. By default
names and tokenizer are the sample's; the figures of RESULTS.md are of Wikipedia titles with the tokenizer of Llama-2.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import show
from benchmarks.processes import alone, peak_bytes, resident_bytes
from gemel.entities.trie import NONE, ROOT, Continuations, PackedTrie, read_trie, write_trie
from gemel.entities.trie_build import NameTokens, build_trie

MIB, GIB = 2**20, 2**30
SAMPLE_NAMES, SAMPLE_TOKENIZER = "data/sample/entities.jsonl", "data/backbones/tiny-llama"
BEAMS, STEPS = 160, 200
# One private-use plane beyond what Python allows in text would be needed for more; vocabularies are smaller.
FIRST_CHARACTER = 0xE000


def read_names(paths: Sequence[Path]) -> list[str]:
    """The distinct names of some files."""
    names: list[str] = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            lines = (line.rstrip("\n") for line in file)
            names += [json.loads(line)["label"] if path.suffix == ".jsonl" else line for line in lines]
    return list(dict.fromkeys(name for name in names if name.strip()))


def recombine(names: Sequence[str], size: int) -> list[str]:
    """The names, and as many made from them as the size lacks; their order follows from their number."""
    rng = np.random.default_rng(0)
    fronts = [name.rsplit(" ", 1)[0] for name in names]
    lasts = [name.rsplit(" ", 1)[-1] for name in names]
    found = dict.fromkeys(names[:size])
    while len(found) < size:
        picks = rng.integers(len(names), size=(2, min(200_000, 2 * (size - len(found))))).tolist()
        for front, last in zip(*picks, strict=True):
            found[f"{fronts[front]} {lasts[last]}"] = None
            if len(found) == size:
                break
    return list(found)


def tokenize(names: Sequence[Path], size: int, tokenizer: str, folder: Path) -> dict[str, Any]:
    """Write token ids as the other parts read them."""
    from gemel.llm.names import tokenize_names
    from gemel.llm.tokens import load_tokenizer

    wanted, loaded = recombine(read_names(names), size), load_tokenizer(tokenizer)
    start = time.perf_counter()
    tokens = tokenize_names(wanted, loaded)
    # Two names may have equal tokens where a tokenizer drops characters; a trie takes the first.
    distinct = distinct_names(tokens)
    seconds = time.perf_counter() - start
    np.save(folder / "ids.npy", distinct.token_ids)
    np.save(folder / "lengths.npy", distinct.lengths)
    return {"names": len(distinct.lengths), "tokens": len(distinct.token_ids), "tokenize_s": seconds}


def distinct_names(tokens: NameTokens) -> NameTokens:
    """Leave out what has another's token ids."""
    seen: dict[bytes, None] = {}
    kept = np.zeros(len(tokens.lengths), dtype=np.bool_)
    start = 0
    for row, length in enumerate(tokens.lengths.tolist()):
        key = tokens.token_ids[start : start + length].tobytes()
        kept[row] = length > 0 and key not in seen
        seen[key] = None
        start += length
    return NameTokens(tokens.token_ids[np.repeat(kept, tokens.lengths)], tokens.lengths[kept])


def tokens_in(folder: Path, size: int | None = None) -> NameTokens:
    """The first names that `tokenize` wrote, memory-mapped."""
    lengths = np.load(folder / "lengths.npy")[:size]
    return NameTokens(np.load(folder / "ids.npy", mmap_mode="r")[: lengths.sum()], lengths)


def build(folder: Path) -> dict[str, Any]:
    """Build and write the packed trie."""
    tokens = tokens_in(folder)
    start = time.perf_counter()
    trie = build_trie(tokens)
    seconds = time.perf_counter() - start
    (folder / "trie").mkdir()
    write_trie(trie, folder / "trie")
    children = np.diff(trie.first_child)
    return {
        "nodes": len(trie),
        "depth": trie.depth,
        "build_s": seconds,
        "build_peak_gib": peak_bytes() / GIB,
        "bytes": sum(path.stat().st_size for path in (folder / "trie").iterdir()),
        "unary_share": float((children == 1).mean()),
        "path_compressed_bytes": path_compressed_bytes(trie, children),
    }


def path_compressed_bytes(trie: PackedTrie, children: np.ndarray[Any, Any]) -> int:
    """What the same trie would take with unary chains merged.

    Tokens and a mark of a chain's end for each node; for each chain its start, its first child, its name, its height.
    """
    chains = int(((children != 1) | (trie.names != NONE)).sum())
    return len(trie) * trie.tokens.itemsize + len(trie) // 8 + chains * (4 + 4 + 4 + trie.heights.itemsize)


def look_up(folder: Path) -> dict[str, Any]:
    """Open the trie, and take steps of BEAMS beams at prefixes of random names."""
    import torch

    from gemel.entities.constraint import TrieConstraint

    before = resident_bytes()
    start = time.perf_counter()
    trie = read_trie(folder / "trie")
    opened = time.perf_counter() - start
    resident = resident_bytes() - before
    end = trie.largest_token + 1
    constraint = TrieConstraint(trie, eos_token_id=end, vocab_size=end + 1, device=torch.device("cpu"))
    states = list(beams_at_prefixes(trie, tokens_in(folder)))
    seconds = []
    for beams in states:
        start = time.perf_counter()
        constraint.candidates(beams)
        seconds.append(time.perf_counter() - start)
    return {
        "open_ms": opened * 1e3,
        "opened_mib": resident / MIB,
        "step_160_beams_ms": float(np.median(seconds)) * 1e3,
        "step_160_beams_p95_ms": float(np.quantile(seconds, 0.95)) * 1e3,
    }


def beams_at_prefixes(trie: PackedTrie, tokens: NameTokens) -> Iterator[np.ndarray[Any, Any]]:
    """Nodes as a search meets them: behind one token or more of a name."""
    rng = np.random.default_rng(1)
    starts = np.cumsum(tokens.lengths, dtype=np.int64) - tokens.lengths
    for _ in range(STEPS):
        nodes = []
        for name in rng.integers(len(starts), size=BEAMS).tolist():
            ids = tokens.token_ids[starts[name] : starts[name] + rng.integers(1, tokens.lengths[name] + 1)]
            node = ROOT
            for token in ids.tolist():
                node = trie.child(node, token)
            nodes.append(node)
        yield np.array(nodes)


def count_wrong(folder: Path) -> dict[str, Any]:
    """Walk the whole trie from the root, all names at once: names not reached, and what is reached beside them."""
    trie, tokens = read_trie(folder / "trie"), tokens_in(folder)
    base = trie.largest_token + 1
    starts = np.cumsum(tokens.lengths, dtype=np.int64) - tokens.lengths
    places = np.zeros(len(starts), dtype=np.int64)  # where in `reached` each name stands
    reached, open_names = np.array([ROOT]), np.arange(len(starts))
    unreached, nodes, complete = 0, 1, 0
    for depth in range(trie.depth):
        below = without_ends(trie.continuations(reached))
        edges = below.rows * base + below.tokens
        wanted = places[open_names] * base + tokens.token_ids[starts[open_names] + depth]
        found = np.minimum(np.searchsorted(edges, wanted), max(0, len(edges) - 1))
        taken = edges[found] == wanted if len(edges) else np.zeros(len(wanted), dtype=np.bool_)
        unreached += int((~taken).sum())
        nodes += len(np.unique(found[taken]))
        places[open_names] = found
        ends = taken & (tokens.lengths[open_names] == depth + 1)
        complete += int((trie.names[below.children[found[ends]]] == open_names[ends]).sum())
        open_names, reached = open_names[taken & ~ends], below.children
        if not len(open_names):
            break
    foreign_nodes = len(trie) - nodes
    foreign_ends = int((trie.names != NONE).sum()) - complete
    return {"wrong": unreached + (len(starts) - complete) + foreign_nodes + foreign_ends}


def without_ends(below: Continuations) -> Continuations:
    goes_on = below.children != NONE
    rows = below.rows[goes_on]
    return Continuations(rows, below.tokens[goes_on], below.children[goes_on], np.bincount(rows))


def nested_dicts(folder: Path, size: int) -> dict[str, Any]:
    """The published trie: a dict per node, the end of a name being one more."""
    names = tokens_in(folder, size).to_lists()
    end = max(map(max, names)) + 1
    before, start = resident_bytes(), time.perf_counter()
    root: dict[int, Any] = {}
    for name in names:
        node = root
        for token in (*name, end):
            node = node.setdefault(token, {})
    return {"dict_build_s": time.perf_counter() - start, "dict_bytes": resident_bytes() - before}


def packed_bytes(folder: Path, size: int) -> dict[str, Any]:
    """Bytes of the packed trie of fewer names."""
    trie = build_trie(tokens_in(folder, size))
    return {"packed_bytes": sum(array.nbytes for array in (trie.tokens, trie.first_child, trie.names, trie.heights))}


def marisa(folder: Path, size: int) -> dict[str, Any]:
    """marisa-trie over the same names, a character for each token; its lookups walk from the root anew."""
    import marisa_trie

    tokens = tokens_in(folder, size)
    texts = ["".join(chr(FIRST_CHARACTER + token) for token in name) for name in tokens.to_lists()]
    start = time.perf_counter()
    trie = marisa_trie.Trie(texts)
    built = time.perf_counter() - start
    rng = np.random.default_rng(1)
    picked = [texts[name] for name in rng.integers(len(texts), size=BEAMS).tolist()]
    prefixes = [text[: rng.integers(1, len(text) + 1)] for text in picked]
    start = time.perf_counter()
    for prefix in prefixes:
        {key[len(prefix)] for key in trie.iterkeys(prefix) if len(key) > len(prefix)}
    step = time.perf_counter() - start
    return {"marisa_build_s": built, "marisa_bytes": len(trie.tobytes()), "marisa_step_160_beams_ms": step * 1e3}


def measure(names: Sequence[Path], tokenizer: str, size: int, baseline_size: int) -> dict[str, Any]:
    """All parts over the same names; the baselines over the first of them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        report = alone(tokenize, names, size, tokenizer, folder)
        report |= alone(build, folder) | alone(look_up, folder) | alone(count_wrong, folder)
        report |= {"baseline_names": baseline_size}
        report |= alone(nested_dicts, folder, baseline_size) | alone(packed_bytes, folder, baseline_size)
        report |= alone(marisa, folder, baseline_size)
    report["dict_bytes_ratio"] = report["dict_bytes"] / report["packed_bytes"]
    return report | {"tokenizer": Path(tokenizer).name, "numpy": np.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 names instead of 6,000,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--names", type=Path, nargs="+", default=[Path(SAMPLE_NAMES)], help="files of names")
    parser.add_argument("--tokenizer", default=SAMPLE_TOKENIZER, help="a tokenizer's folder or hub id")
    parser.add_argument("--size", type=int, help="another number of names")
    settings = parser.parse_args()
    size = settings.size or (100_000 if settings.quick else 6_000_000)
    report = measure(settings.names, settings.tokenizer, size, min(size, 1_000_000))
    show(report, "the packed trie", as_json=settings.json)


if __name__ == "__main__":
    main()
