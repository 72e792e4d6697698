"""The sample world: its generator, its drawings and the recipe of its tiny backbones. `make sample` runs all of it."""
