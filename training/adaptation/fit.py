"""The loop that adapts an encoder. Two processes take the same steps as one: each encodes its share of the texts."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.errors import ModelError
from training.adaptation.corpus import Corpus
from training.adaptation.losses import Together, contrastive, gathered, masked
from training.adaptation.presets import AdaptPreset
from training.adaptation.tuned import Tuned
from training.data import distributed
from training.fitting.checkpoints import Checkpoint, Progress, load_checkpoint, save_checkpoint
from training.texts.pretrained import full_digest

MULTIPLE = 8  # tokens; batches are padded to a multiple of it
MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


@dataclass
class Adaptation:
    """Adapts `tuned` in place. A step is [rows] pairs of one objective, or texts of mlm, over all processes."""

    tuned: Tuned
    corpus: Corpus
    preset: AdaptPreset
    length: int  # tokens of a text
    folder: Path  # of checkpoints
    device: torch.device
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self._tokens = self.tuned.read.tokens(self.corpus.texts, self.length)
        self._together = {name: Together(rows, len(self._tokens)) for name, rows in self.corpus.pairs.items()}
        self._fingerprint = fingerprint(self.tuned, self.corpus, self.preset, self.length)
        self._bf16 = _computes_bf16(self.device) if self.preset.precision == "auto" else self.preset.precision == "bf16"

    def fit(self, on_epoch: Callable[[Progress], None] = lambda progress: None) -> Progress:
        """Trains to the end, from the last checkpoint where there is one."""
        self.tuned.to(self.device)
        weights = [it for it in self.tuned.parameters() if it.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, lr=self.preset.learning_rate, weight_decay=self.preset.weight_decay, foreach=False
        )
        found = load_checkpoint(self.folder, self._fingerprint, self.tuned, optimizer)
        self.progress = found.progress if found else self.progress
        while self.progress.epoch < self.preset.epochs:
            self._epoch(weights, optimizer)
            if distributed.rank() == 0:
                save_checkpoint(
                    self.folder, self._fingerprint, Checkpoint(self.progress, {}, {}), self.tuned, optimizer
                )
                on_epoch(self.progress)
        return self.progress

    def plan(self, epoch: int) -> list[tuple[str, np.ndarray]]:
        """The steps of an epoch in order: objective, and rows of its pairs (of the texts for mlm)."""
        sizes = {name: len(rows) for name, rows in self.corpus.pairs.items()}
        if self.tuned.words is not None:
            sizes["mlm"] = len(self.corpus.texts)
        generator, steps = np.random.default_rng([self.preset.seed, epoch]), []
        for name, size in sorted(sizes.items()):
            rows = generator.permutation(size)[: self.preset.pairs]
            parts = np.array_split(rows, math.ceil(len(rows) / self.preset.batch))
            steps += [(name, part) for part in parts if name == "mlm" or len(part) > 1]
        return [steps[place] for place in generator.permutation(len(steps))]

    def loss(self, name: str, rows: np.ndarray, step: int) -> Tensor:
        """The share of this process in the gradients of the whole step, as a loss; its value, summed, is the step's."""
        return self._words(rows, step) if name == "mlm" else self._pairs(name, rows)

    def _epoch(self, weights: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        self.tuned.train(self.preset.tuning != "frozen")
        epoch = self.progress.epoch + 1
        plan = self.plan(epoch)
        torch.manual_seed(self.preset.seed * 1000 + epoch * 100 + distributed.rank())
        for step, (name, rows) in enumerate(plan):
            done = (epoch - 1) * len(plan) + step
            for group in optimizer.param_groups:
                group["lr"] = self._rate(done, self.preset.epochs * len(plan))
            optimizer.zero_grad()
            with telling_memory(self.preset, self.length):
                loss = self.loss(name, rows, done)
                if loss.requires_grad:  # a process with no share of a very small batch has nothing to add
                    loss.backward()
            sum_gradients(weights)
            nn.utils.clip_grad_norm_(weights, self.preset.clip)
            optimizer.step()
            if self.tuned.adapter is not None:
                self.tuned.adapter.after_step(done + 1, self.preset.epochs * len(plan))
            told = float(distributed.total(loss.detach().double()))
            if not math.isfinite(told):
                raise ModelError(
                    f"step {done} ({name}): expected a finite loss, found {told}; lower the preset's learning rate"
                )
            self.progress.steps.append(told)
        self.progress.epoch = epoch
        mean = float(np.mean(self.progress.steps[-len(plan) :]))
        self.progress.curve.append({"epoch": epoch, "total": mean})

    def _pairs(self, name: str, rows: np.ndarray) -> Tensor:
        pairs = self.corpus.pairs[name][rows]
        codes, place = np.unique(pairs, return_inverse=True)
        mine = torch.arange(distributed.rank(), len(codes), distributed.world())
        own = self.encode(codes[mine.numpy()])
        whole = gathered(own, mine.to(self.device), len(codes))
        left, right = torch.from_numpy(place.reshape(-1, 2)).T.to(self.device)
        blocked = self._together[name].blocked(pairs[:, 0], pairs[:, 1]).to(self.device)
        loss = contrastive(whole[left], whole[right], blocked, self.preset.temperature)
        # Every process has the loss of the whole batch, with the gradients of its own rows alone: only one adds it up.
        loss = loss if distributed.rank() == 0 else loss - loss.detach()
        return loss + self._penalty()

    def _words(self, rows: np.ndarray, step: int) -> Tensor:
        tokenizer, words = self.tuned.read.tokenizer, self.tuned.words
        assert words is not None, "the plan has no step of mlm without it"
        ids, mask = self._batch(rows)
        special = (mask == 0) | torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
        generator = torch.Generator().manual_seed(self.preset.seed * 100_003 + step)
        vocabulary = len(self.tuned.embeddings)
        changed, guessed = masked(ids, special, tokenizer.mask_token_id, vocabulary, self.preset.masked, generator)
        mine = torch.arange(distributed.rank(), len(rows), distributed.world())
        if not len(mine):
            return torch.zeros((), device=self.device)
        with self._autocast():
            hidden = self.tuned.sentence.hidden(changed[mine].to(self.device), mask[mine].to(self.device))
            scores = words(hidden[guessed[mine].to(self.device)], self.tuned.embeddings)
        wanted = ids[mine][guessed[mine]].to(self.device)
        loss = nn.functional.cross_entropy(scores.float(), wanted, reduction="sum")
        return loss / max(1, int(guessed.sum())) + self._penalty()

    def _penalty(self) -> Tensor:
        """AdaLoRA's, in one process: gradients are summed."""
        if self.tuned.adapter is None or distributed.rank():
            return torch.zeros((), device=self.device)
        return self.tuned.adapter.penalty().to(self.device)

    def encode(self, codes: np.ndarray) -> Tensor:
        """[codes, width] unit vectors of texts of the corpus, with gradients."""
        ids, mask = self._batch(codes)
        if not len(codes):
            return torch.zeros(0, self.tuned.sentence.width, device=self.device)
        with self._autocast():
            return self.tuned.sentence(ids.to(self.device), mask.to(self.device))

    def _batch(self, codes: np.ndarray) -> tuple[Tensor, Tensor]:
        longest = max((len(self._tokens[code]) for code in codes), default=1)
        shape = (len(codes), min(-(-longest // MULTIPLE) * MULTIPLE, self.tuned.read.longest))
        filler = self.tuned.read.tokenizer.pad_token_id or 0
        ids, mask = torch.full(shape, filler, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        for row, code in enumerate(codes):
            found = self._tokens[code]
            ids[row, : len(found)] = torch.tensor(found, dtype=torch.long)
            mask[row, : max(len(found), 1)] = 1
        return ids, mask

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16)

    def _rate(self, step: int, steps: int) -> float:
        """Linear warm-up, then linear decay to 0."""
        warm = max(1, round(self.preset.warmup * steps))
        share = (step + 1) / warm if step < warm else (steps - step) / max(1, steps - warm)
        return self.preset.learning_rate * share


def fingerprint(tuned: Tuned, corpus: Corpus, preset: AdaptPreset, length: int) -> str:
    """What a checkpoint must have been made with: encoder, texts, pairs and choices."""
    digest = hashlib.sha256(json.dumps([asdict(preset), length, full_digest(tuned.read)]).encode())
    digest.update("\n".join(corpus.texts).encode())
    for name, pairs in sorted(corpus.pairs.items()):
        digest.update(name.encode() + pairs.tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def telling_memory(preset: AdaptPreset, length: int) -> Iterator[None]:
    """Raises ModelError that says what to change where memory ran out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error).lower() for words in MEMORY):
            raise
        hints = ["lower TIDEMARK_TEXT_LENGTH", "choose a preset with a smaller batch"]
        hints += [] if preset.checkpointing else ["pass --checkpointing"]
        hints += [] if preset.tuning != "full" else ["pass --tuning lora"]
        raise ModelError(
            f"adaptation: out of memory with preset {preset.name}: a batch of {preset.batch} pairs, {length} tokens a "
            f"text; {', or '.join(hints)}"
        ) from error


def sum_gradients(weights: list[nn.Parameter]) -> None:
    """Over all processes; a weight that a step did not reach gets a gradient of 0 where there are several."""
    if distributed.world() == 1:
        return
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        distributed.total(weight.grad)


def _computes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
