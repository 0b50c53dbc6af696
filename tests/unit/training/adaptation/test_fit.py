"""The loop on a tiny encoder: what it learns, that processes agree, and what is kept of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as processes

from pipeline.runtime.errors import ModelError
from tests.unit.training.adaptation.tiny import build_encoder
from training.adaptation.corpus import Corpus
from training.adaptation.fit import Adaptation, sum_gradients, telling_memory
from training.adaptation.losses import Together, contrastive, masked
from training.adaptation.presets import PRESETS, TUNINGS, AdaptPreset
from training.adaptation.tuned import Tuned
from training.data import distributed
from training.texts.language_model import TextEncoder
from training.texts.pretrained import full_digest, read_pretrained, save_pretrained

PRESET = replace(PRESETS["tiny"], epochs=1, batch=4, learning_rate=5e-3, objectives=("together",))
TEXTS = ["red mug", "blue cup", "drill", "kettle set", "tea light", "lamp home", "green scarf", "tools"]
PAIRS = np.array([[0, 1], [2, 3], [4, 5], [6, 7]])


# Of which a few steps show on random weights: adapters begin with an effect of nothing.
RATES = {"full": 5e-3, "frozen": 5e-3, "lora": 0.02, "adalora": 0.05, "ia3": 0.3}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def adaptation(encoder: Path, folder: Path, preset: AdaptPreset = PRESET) -> Adaptation:
    pairs = {} if preset.objectives == ("mlm",) else {"together": PAIRS}
    tuned = Tuned(read_pretrained(str(encoder), "tiny"), preset)
    return Adaptation(tuned, Corpus(TEXTS, pairs), preset, 16, folder, torch.device("cpu"))


@pytest.mark.parametrize("tuning", TUNINGS)
def test_pairs_get_closer(tuning: str, encoder: Path, tmp_path: Path) -> None:
    preset = replace(PRESET, tuning=tuning, epochs=12, learning_rate=RATES[tuning], warmup=0.0)
    progress = adaptation(encoder, tmp_path, preset).fit()
    assert len(progress.steps) == preset.epochs
    assert progress.steps[-1] < 0.9 * progress.steps[0]


def test_one_step_lowers_the_loss(encoder: Path, tmp_path: Path) -> None:
    job = adaptation(encoder, tmp_path, replace(PRESET, tuning="full", warmup=0.0, learning_rate=1e-3))
    rows = np.arange(len(PAIRS))
    before = float(job.loss("together", rows, 0).detach())
    job.fit()
    job.tuned.eval()
    assert float(job.loss("together", rows, 0).detach()) < before


def test_masked_words_are_learned(encoder: Path, tmp_path: Path) -> None:
    preset = replace(PRESET, tuning="full", objectives=("mlm",), epochs=30, batch=8)
    steps = adaptation(encoder, tmp_path, preset).fit().steps
    assert np.mean(steps[-5:]) < 0.8 * np.mean(steps[:5])


def test_gradient_checkpointing_changes_no_step(encoder: Path, tmp_path: Path) -> None:
    preset = replace(PRESET, tuning="full", epochs=2)
    plain = adaptation(encoder, tmp_path / "plain", preset).fit().steps
    again = adaptation(encoder, tmp_path / "again", replace(preset, checkpointing=True)).fit().steps
    assert np.allclose(plain, again, atol=1e-5)


def _gradients(rank: int, world: int, encoder: str, folder: str) -> None:
    """Writes the loss and the gradients of a step of each objective, summed over the processes."""
    if world > 1:
        torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=world)
    job = adaptation(Path(encoder), Path(folder), replace(PRESET, tuning="full", objectives=("together", "mlm")))
    weights = [it for it in job.tuned.parameters() if it.requires_grad]
    for objective in ("together", "mlm"):
        job.tuned.zero_grad()
        loss = job.loss(objective, np.arange(3), 0)  # an odd number, so that the shares differ
        loss.backward()
        sum_gradients(weights)
        value = distributed.total(loss.detach().double())
        if rank == 0:
            told = [torch.zeros_like(it) if it.grad is None else it.grad for it in weights]
            torch.save(
                {"loss": value, "gradients": torch.cat([it.flatten() for it in told])},
                f"{folder}/{objective}-{world}.pt",
            )


def test_two_processes_take_the_step_of_one(encoder: Path, tmp_path: Path) -> None:
    _gradients(0, 1, str(encoder), str(tmp_path))
    processes.spawn(_gradients, (2, str(encoder), str(tmp_path)), nprocs=2)
    for objective in ("together", "mlm"):
        one, two = (torch.load(tmp_path / f"{objective}-{world}.pt") for world in (1, 2))
        assert float(one["loss"]) == pytest.approx(float(two["loss"]), rel=1e-5)
        assert one["gradients"].abs().sum() > 1
        assert torch.allclose(one["gradients"], two["gradients"], atol=1e-6)


def test_what_belongs_together_elsewhere_is_no_negative() -> None:
    """Of the pairs (0, 1), (2, 3), (4, 1): 1 also belongs to 4, and 3 was once seen with 0, the other way round."""
    known = Together(np.array([[0, 1], [2, 3], [4, 1], [3, 0], [7, 8]]), 9)
    blocked = known.blocked(np.array([0, 2, 4]), np.array([1, 3, 1]))
    assert blocked.tolist() == [[False, True, True], [False, False, False], [True, False, False]]
    same = Together(np.array([[0, 1], [1, 2]]), 9).blocked(np.array([0, 1]), np.array([1, 2]))
    assert same.tolist() == [[False, False], [True, False]]  # the text itself


def test_a_blocked_negative_has_no_part_in_the_loss() -> None:
    left, right = torch.eye(3)[:2], torch.tensor([[1.0, 0, 0], [1.0, 0, 0]])
    nothing = torch.zeros(2, 2, dtype=torch.bool)
    both = ~torch.eye(2, dtype=torch.bool)
    assert float(contrastive(left, right, both, 0.1)) == 0
    # Rows 0 and 1: scores (10, 10) and (0, 0), ln 2 each; columns: (10, 0), 0.0000454 and 10.0000454.
    assert float(contrastive(left, right, nothing, 0.1)) == pytest.approx((np.log(2) + 5.0000454) / 2, rel=1e-5)


def test_special_tokens_are_never_masked_and_each_text_has_a_word_to_guess() -> None:
    ids = torch.arange(5, 25).repeat(50, 1)
    special = torch.zeros_like(ids, dtype=torch.bool)
    special[:, [0, -1]] = True
    special[0] = True  # a text without words
    changed, guessed = masked(ids, special, 4, 100, 0.15, torch.Generator().manual_seed(1))
    assert not (guessed & special).any() and (changed == ids)[~guessed].all()
    assert guessed[1:].any(dim=1).all() and not guessed[0].any()
    assert 0.12 < guessed[1:, 1:-1].float().mean() < 0.22
    assert 0.7 < (changed[guessed] == 4).float().mean() < 0.9


@pytest.mark.parametrize("tuning", ["lora", "adalora", "ia3", "frozen", "full"])
def test_the_saved_encoder_gives_the_vectors_of_the_adapted_one(tuning: str, encoder: Path, tmp_path: Path) -> None:
    job = adaptation(
        encoder, tmp_path, replace(PRESET, tuning=tuning, epochs=6, learning_rate=RATES[tuning], warmup=0.0)
    )
    job.fit()
    job.tuned.eval()
    codes = np.arange(len(TEXTS))
    adapted = job.encode(codes).detach()
    merged = job.tuned.merged()
    assert torch.allclose(job.encode(codes), adapted, atol=1e-5)
    save_pretrained(merged, tmp_path / "saved", {"base": "tiny"})
    read = read_pretrained(str(tmp_path / "saved"), "saved")
    assert full_digest(read) == full_digest(merged)
    assert read.model.pooling == "mean" and not any("lora" in name for name in read.model.state_dict())
    found = TextEncoder("adapted", folder=tmp_path / "saved").encode(TEXTS)
    assert np.abs(found - adapted.numpy()).max() < 0.02  # which were not computed in bf16
    assert np.abs(found - TextEncoder(str(encoder)).encode(TEXTS)).max() > 2e-3  # of the same bits, were it untouched


def test_a_retry_goes_on_from_the_checkpoint(encoder: Path, tmp_path: Path) -> None:
    preset = replace(PRESET, epochs=4)
    whole = adaptation(encoder, tmp_path / "whole", preset)
    whole.fit()
    stopped = adaptation(encoder, tmp_path / "parts", preset)

    def stop(progress: object) -> None:
        if stopped.progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.fit(stop)
    resumed = adaptation(encoder, tmp_path / "parts", preset)
    assert resumed.fit().steps == whole.progress.steps
    assert full_digest(resumed.tuned.merged()) == full_digest(whole.tuned.merged())
    with pytest.raises(ModelError, match=r"checkpoint .* train with a new --run"):
        adaptation(encoder, tmp_path / "parts", replace(preset, batch=2)).fit()


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("not enough memory: 9"), MemoryError()]
)
def test_out_of_memory_names_what_to_change(error: BaseException) -> None:
    wanted = (
        r"out of memory with preset tiny: a batch of 4 pairs, 64 tokens .* TIDEMARK_TEXT_LENGTH, or .*--checkpointing"
    )
    with pytest.raises(ModelError, match=wanted), telling_memory(PRESET, 64):
        raise error
    with pytest.raises(RuntimeError, match="shapes"), telling_memory(PRESET, 64):
        raise RuntimeError("shapes differ")


def test_a_decoder_has_no_masked_words(encoder: Path) -> None:
    read = read_pretrained(str(encoder), "tiny")
    read.tokenizer.mask_token = None
    with pytest.raises(ModelError, match=r"objective mlm: expected an encoder whose tokenizer has a mask token"):
        Tuned(read, replace(PRESET, tuning="full", objectives=("mlm",)))


def test_the_plan_takes_each_pair_once_and_is_the_same_in_every_process(encoder: Path, tmp_path: Path) -> None:
    job = adaptation(encoder, tmp_path, replace(PRESET, batch=2, objectives=("together", "mlm"), tuning="full"))
    plan = job.plan(1)
    rows = {name: sorted(np.concatenate([rows for it, rows in plan if it == name])) for name in ("together", "mlm")}
    assert rows == {"together": list(range(4)), "mlm": list(range(8))}
    assert json.dumps([[n, r.tolist()] for n, r in plan]) == json.dumps([[n, r.tolist()] for n, r in job.plan(1)])
