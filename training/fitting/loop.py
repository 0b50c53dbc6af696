"""The training loop: sharded batches, DDP, accumulation, warm-up, early stopping, checkpoints."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pipeline.runtime.errors import ModelError
from training.data import distributed
from training.fitting.checkpoints import Checkpoint, Progress, load_checkpoint, save_checkpoint
from training.fitting.learner import Learner
from training.fitting.objective import Batch, Batcher, Objective
from training.fitting.targets import Negatives, TargetDraws
from training.network.network import InterestModel

Loss = TypeVar("Loss", float, Tensor)


@dataclass
class Trainer:
    """Trains `model` in place. `shards` are the rows of each shard that this process holds.

    A step takes a fixed number of rows from each shard, so two processes with one shard each take the same steps as one
    process that holds both.
    """

    model: InterestModel
    batcher: Batcher
    draws: TargetDraws
    candidates: Negatives
    shards: list[np.ndarray]
    all_shards: int
    folder: Path
    fingerprint: str
    progress: Progress = field(default_factory=Progress)
    all_steps: int = 0

    def fit(self, on_epoch: Callable[[Progress], None] = lambda progress: None) -> Progress:
        """Trains to the end or until validation stops improving, then loads the best weights."""
        preset = self.batcher.preset
        objective = self._objective()
        learner = Learner.of(self.model, preset)
        best = self._resume(learner)
        while self.progress.epoch < preset.epochs and not self._out_of_patience():
            began = time.process_time()
            self._train_epoch(objective, learner)
            with learner.average.in_place():
                best = self._record(self.valid_loss(), best)
            self.progress.cpu_seconds += time.process_time() - began
            if distributed.rank() == 0:
                self._save(learner, best)
                on_epoch(self.progress)
        self.model.load_state_dict(best)
        return self.progress

    def valid_loss(self) -> dict[str, float]:
        """Mean losses on the window after the validation cut-off, over all processes."""
        return self.mean_loss(np.flatnonzero(~self.batcher.examples.is_train))

    def mean_loss(self, rows: np.ndarray) -> dict[str, float]:
        """Mean losses of the rows of all processes, each on the window after its cut-off."""
        examples, preset = self.batcher.examples, self.batcher.preset
        objective = Objective(self.model, preset).eval()
        sums = torch.zeros(4, dtype=torch.float64, device=self.batcher.device)
        with torch.inference_mode():
            for start in range(0, len(rows), preset.batch):
                part = rows[start : start + preset.batch]
                targets = self.draws.ahead(part, epoch=0)
                labels = examples.labels[part]
                # The candidates come from one fixed draw, so losses of different epochs are comparable.
                batch = self.batcher.batch(part, targets, self.candidates.of_step(0, 0), labels)
                counts = [targets.counts.sum(), (~np.isnan(labels)).sum()]
                sums += torch.tensor([*map(float, objective(batch)), *counts], device=sums.device)
        item, head, items, heads = distributed.total(sums).tolist()
        item, head = item / max(items, 1), head / max(heads, 1)
        return {"items": item, "heads": head, "total": self._whole(item, head)}

    def steps(self, epoch: int) -> Iterator[tuple[int, np.ndarray]]:
        """Step number and this process's rows; -1 where a shard has run out of rows."""
        preset = self.batcher.preset
        per_shard = max(1, preset.batch // self.all_shards)
        longest = distributed.largest(max(map(len, self.shards)), self.batcher.device)
        order = np.random.default_rng([preset.seed, epoch]).permutation(longest)
        for step in range(min(math.ceil(longest / per_shard), preset.steps_per_epoch)):
            places = order[step * per_shard : (step + 1) * per_shard]
            rows = [np.append(shard, -1)[np.minimum(places, len(shard))] for shard in self.shards]
            yield step, np.concatenate(rows)

    def _objective(self) -> torch.nn.Module:
        objective = Objective(self.model, self.batcher.preset).to(self.batcher.device)
        return DistributedDataParallel(objective) if distributed.world() > 1 else objective

    def _resume(self, learner: "Learner") -> dict[str, Tensor]:
        found = load_checkpoint(self.folder, self.fingerprint, self.model, learner.optimizer)
        if found is None:
            return _copy(self.model)
        self.progress = found.progress
        learner.average.restore(found.average, len(found.progress.steps))
        return found.best

    def _save(self, learner: "Learner", best: dict[str, Tensor]) -> None:
        stand = Checkpoint(self.progress, best, learner.average.state())
        save_checkpoint(self.folder, self.fingerprint, stand, self.model, learner.optimizer)

    def _train_epoch(self, objective: torch.nn.Module, learner: "Learner") -> None:
        objective.train()
        epoch, preset = self.progress.epoch + 1, self.batcher.preset
        torch.manual_seed(preset.seed * 1000 + epoch * 100 + distributed.rank())
        plan = list(self.steps(epoch))
        self.all_steps = preset.epochs * len(plan)
        for step, rows in plan:
            done = (epoch - 1) * len(plan) + step
            learner.set_rate(self._rate(done, self.all_steps))
            self.progress.steps.append(self._step(objective, learner, epoch, step, rows))

    def _step(
        self,
        objective: torch.nn.Module,
        learner: "Learner",
        epoch: int,
        step: int,
        rows: np.ndarray,
    ) -> float:
        """One optimizer step; returns the mean loss over the rows of all processes."""
        preset = self.batcher.preset
        batches, counts = self._micro_batches(rows, epoch, step)
        items, heads = distributed.total(counts).clamp(min=1).tolist()
        learner.optimizer.zero_grad()
        losses = torch.zeros(2, dtype=torch.float64, device=self.batcher.device)
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            waits = isinstance(objective, DistributedDataParallel) and not last
            with objective.no_sync() if waits else nullcontext():  # type: ignore[operator]
                item, head = objective(batch)
                # DDP averages gradients over processes; the loss is a mean over all of them.
                mean = self._whole(item / items, head / heads)
                (mean * distributed.world()).backward()
            losses += torch.stack([item.detach(), head.detach()])
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), preset.clip)
        learner.optimizer.step()
        if self.model.adapter is not None:
            self.model.adapter.after_step(len(self.progress.steps), self.all_steps)
        learner.average.update()
        item_sum, head_sum = distributed.total(losses).tolist()
        return self._whole(item_sum / items, head_sum / heads)

    def _whole(self, item: Loss, head: Loss) -> Loss:
        preset = self.batcher.preset
        return preset.items_weight * item + preset.heads_weight * head

    def _micro_batches(self, rows: np.ndarray, epoch: int, step: int) -> tuple[list[Batch], Tensor]:
        """The rows in `accumulate` parts, and the number of targets and labels that count in them."""
        batches, counts = [], np.zeros(2)
        examples, candidates = self.batcher.examples, self.candidates.of_step(epoch, step)
        for part in np.array_split(rows, self.batcher.preset.accumulate):
            real = part >= 0
            part = np.maximum(part, 0)
            targets = self.draws.training(part, epoch).only(real)
            labelled = (real & examples.is_train[part])[:, None]
            labels = np.where(labelled, examples.labels[part], np.nan)
            counts += [targets.counts.sum(), (~np.isnan(labels)).sum()]
            batches.append(self.batcher.batch(part, targets, candidates, labels, (epoch, step)))
        return batches, torch.from_numpy(counts).to(self.batcher.device)

    def _rate(self, step: int, steps: int) -> float:
        """Linear warm-up, then cosine decay to a tenth."""
        preset = self.batcher.preset
        warm = max(1, round(preset.warmup * steps))
        if step < warm:
            return preset.learning_rate * (step + 1) / warm
        turn = math.pi * (step - warm) / max(1, steps - warm)
        return preset.learning_rate * (0.55 + 0.45 * math.cos(turn))

    def _record(self, valid: dict[str, float], best: dict[str, Tensor]) -> dict[str, Tensor]:
        progress = self.progress
        progress.epoch += 1
        if not math.isfinite(valid["total"]):
            raise ModelError(
                f"epoch {progress.epoch}: expected a finite validation loss, found {valid}; "
                "lower the preset's learning rate"
            )
        progress.curve.append({"epoch": progress.epoch, **valid})
        if valid["total"] >= progress.best_loss:
            return best
        progress.best_loss, progress.best_epoch = valid["total"], progress.epoch
        return _copy(self.model)

    def _out_of_patience(self) -> bool:
        return self.progress.epoch - self.progress.best_epoch >= self.batcher.preset.patience


def _copy(model: InterestModel) -> dict[str, Tensor]:
    return {name: weights.detach().clone() for name, weights in model.state_dict().items()}
