"""Links of a large archive: Parquet in, Parquet out, a shard at a time, each once, by the same linker as everywhere."""
