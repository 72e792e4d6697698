"""Size and speed of the packed trie, beside a trie of nested dicts and marisa-trie.

Names are taken from files (see `trie_names`) and filled up to the size asked for. Each part runs in a process of its
own, so that its memory is its own. By default names and tokenizer are the sample's; the figures of RESULTS.md are of
Wikipedia titles with the tokenizer of Llama-2. With a --size of as many names as the files hold, all is of real names.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.names import FACTS, tokenize, tokens_in
from benchmarks.output import show
from benchmarks.processes import alone, peak_bytes, resident_bytes
from gemel.entities.subset import subset_of
from gemel.entities.trie import ARRAYS, NONE, ROOT, WORD, PackedTrie, read_trie, write_trie
from gemel.entities.trie_build import NameTokens, build_trie

MIB, GIB = 2**20, 2**30
SAMPLE_NAMES, SAMPLE_TOKENIZER = "data/sample/entities.jsonl", "data/backbones/tiny-llama"
BEAMS, STEPS = 160, 200
SWEEP = (10_000, 100_000, 1_000_000, 6_000_000)
FEW, MANY = 10, 2_000_000
# One private-use plane beyond what Python allows in text would be needed for more; vocabularies are smaller.
FIRST_CHARACTER = 0xE000


def build(tokens: Path, size: int, folder: Path) -> dict[str, Any]:
    """Build the packed trie of the first names and write it."""
    names = tokens_in(tokens, size)
    start = time.perf_counter()
    trie = build_trie(names)
    seconds, peak = time.perf_counter() - start, peak_bytes()
    write_trie(trie, folder)
    written = sum(path.stat().st_size for path in folder.iterdir())
    degrees = trie.children(np.arange(len(trie))).counts
    return {
        "names": trie.name_count,
        "tokens": len(names.token_ids),
        "nodes": len(trie),
        "depth": trie.depth,
        "block": trie.block,
        "build_s": seconds,
        "build_peak_gib": peak / GIB,
        "bytes": written,
        "bytes_per_name": written / trie.name_count,
        "bytes_per_node": written / len(trie),
        "unary_share": float((degrees == 1).mean()),
        "path_compressed_bytes": path_compressed_bytes(trie, degrees),
    }


def path_compressed_bytes(trie: PackedTrie, degrees: np.ndarray[Any, Any]) -> int:
    """What the same layout would take with unary chains merged, about.

    A token for each node, and a ranked bit that marks the end of a chain; for each chain what is now kept for each node
    beside its token; the names as they are.
    """
    is_end = trie.names_at(np.arange(len(trie))) != NONE
    chains = int(((degrees != 1) | is_end).sum())
    ranked_bit = (WORD // 8 + 4) / WORD
    each = trie.child_offsets.itemsize + trie.child_bases.itemsize / trie.block + ranked_bit + trie.heights.itemsize
    return int(len(trie) * (trie.tokens.itemsize + ranked_bit) + chains * each + trie.names.nbytes)


def look_up(tokens: Path, size: int, folder: Path) -> dict[str, Any]:
    """Open the trie, and take steps of BEAMS beams at prefixes of random names."""
    import torch

    from gemel.entities.constraint import TrieConstraint

    before = resident_bytes()
    start = time.perf_counter()
    trie = read_trie(folder)
    opened = time.perf_counter() - start
    resident = resident_bytes() - before
    end = trie.largest_token + 1
    constraint = TrieConstraint(trie, eos_token_id=end, vocab_size=end + 1, device=torch.device("cpu"))
    states = list(beams_at_prefixes(trie, tokens_in(tokens, size)))
    whole = np.zeros(BEAMS, dtype=np.int64)
    steps = milliseconds(lambda beams: constraint.offered(constraint.children(beams, whole)), states)
    lookups = milliseconds(trie.children, states)
    return {
        "open_ms": opened * 1e3,
        "opened_mib": resident / MIB,
        "step_160_beams_ms": float(np.median(steps)),
        "step_160_beams_p95_ms": float(np.quantile(steps, 0.95)),
        "children_160_beams_ms": float(np.median(lookups)),
        "children_160_beams_p95_ms": float(np.quantile(lookups, 0.95)),
    }


def milliseconds(look: Callable[[Any], object], states: Sequence[Any]) -> list[float]:
    """How long each lookup takes."""
    found = []
    for beams in states:
        start = time.perf_counter()
        look(beams)
        found.append((time.perf_counter() - start) * 1e3)
    return found


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


def restrict(folder: Path) -> dict[str, Any]:
    """Subsets of few and of many of the names; the first one of all costs what `ends` does."""
    trie, rng = read_trie(folder), np.random.default_rng(2)
    many = rng.permutation(trie.name_count)[:MANY]
    few = [rng.integers(trie.name_count, size=FEW) for _ in range(STEPS)]
    (first,) = milliseconds(lambda names: subset_of(trie, names), [many[:1]])
    (all_many,) = milliseconds(lambda names: subset_of(trie, names), [many])
    some = float(np.median(milliseconds(lambda names: subset_of(trie, names), few)))
    return {"first_subset_ms": first, "subset_of_10_ms": some, "large_subset": len(many), "large_subset_ms": all_many}


def count_wrong(tokens: Path, size: int, folder: Path) -> dict[str, Any]:
    """Walk the whole trie from the root, all names at once: names not reached, and what is reached beside them."""
    trie, names = read_trie(folder), tokens_in(tokens, size)
    base = trie.largest_token + 1
    starts = np.cumsum(names.lengths, dtype=np.int64) - names.lengths
    places = np.zeros(len(starts), dtype=np.int64)  # where in `reached` each name stands
    reached, open_names = np.array([ROOT]), np.arange(len(starts))
    unreached, nodes, complete, ends_seen = 0, 1, 0, 0
    for depth in range(trie.depth):
        below = trie.children(reached)
        ends_seen += int(below.ends.sum())
        rows = np.repeat(np.arange(len(reached)), below.counts)
        children = np.arange(len(rows)) + np.repeat(below.first - np.cumsum(below.counts) + below.counts, below.counts)
        edges = rows * base + trie.tokens[children]
        wanted = places[open_names] * base + names.token_ids[starts[open_names] + depth]
        found = np.minimum(np.searchsorted(edges, wanted), max(0, len(edges) - 1))
        taken = edges[found] == wanted if len(edges) else np.zeros(len(wanted), dtype=np.bool_)
        unreached += int((~taken).sum())
        met = np.zeros(len(edges), dtype=np.bool_)
        met[found[taken]] = True
        nodes += int(met.sum())
        places[open_names] = found
        ends = taken & (names.lengths[open_names] == depth + 1)
        complete += int((trie.names_at(children[found[ends]]) == open_names[ends]).sum())
        open_names, reached = open_names[taken & ~ends], children
    return {"wrong": unreached + (len(starts) - complete) + (len(trie) - nodes) + (ends_seen - complete)}


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
    return {"packed_bytes": sum(getattr(trie, name).nbytes for name in ARRAYS)}


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


def measure(tokens: Path, size: int, baseline_size: int) -> dict[str, Any]:
    """All parts over the same names; the baselines over the first of them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        report = alone(build, tokens, size, folder) | alone(look_up, tokens, size, folder)
        report |= alone(restrict, folder) | alone(count_wrong, tokens, size, folder)
    report |= {"baseline_names": baseline_size}
    report |= alone(nested_dicts, tokens, baseline_size) | alone(packed_bytes, tokens, baseline_size)
    report |= alone(marisa, tokens, baseline_size)
    report["dict_bytes_ratio"] = report["dict_bytes"] / report["packed_bytes"]
    return report


def sweep(tokens: Path, sizes: Sequence[int]) -> dict[str, Any]:
    """The times of a step with tries of several sizes."""
    report = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            alone(build, tokens, size, Path(temporary))
            step = alone(look_up, tokens, size, Path(temporary))
        report |= {f"{key}_at_{size}": step[key] for key in ("children_160_beams_ms", "step_160_beams_ms")}
    return report


def prepare(names: Sequence[Path], tokenizer: str, size: int, folder: Path) -> dict[str, Any]:
    """The tokens' facts, of this run or a former one in the same folder."""
    if not (folder / FACTS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        alone(tokenize, names, size, tokenizer, folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    wanted = {"tokenizer": Path(tokenizer).name, "files": [path.name for path in names]}
    if any(facts[key] != value for key, value in wanted.items()) or facts["asked"] < size:
        raise SystemExit(f"{folder}: holds tokens of {facts}, asked for are {size} names of {wanted}; empty it")
    return {"tokenizer": facts["tokenizer"], "tokenized_names": facts["names"], "tokenize_s": facts["tokenize_s"]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 names instead of 6,000,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--names", type=Path, nargs="+", default=[Path(SAMPLE_NAMES)], help="files of names")
    parser.add_argument("--tokenizer", default=SAMPLE_TOKENIZER, help="a tokenizer's folder or hub id")
    parser.add_argument("--size", type=int, help="another number of names")
    parser.add_argument("--tokens", type=Path, help="a folder that keeps the names' tokens for later, smaller runs")
    parser.add_argument("--sweep", action="store_true", help=f"only the time of a step, up to the size: {SWEEP}")
    return parser.parse_args()


def main() -> None:
    settings = arguments()
    size = settings.size or (100_000 if settings.quick else 6_000_000)
    with ExitStack() as stack:
        folder = settings.tokens or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        report = prepare(settings.names, settings.tokenizer, size, folder)
        if settings.sweep:
            report |= sweep(folder, [names for names in SWEEP if names <= size])
        else:
            report |= measure(folder, size, min(size, 1_000_000))
    show(report | {"numpy": np.__version__}, "the packed trie", as_json=settings.json)


if __name__ == "__main__":
    main()
