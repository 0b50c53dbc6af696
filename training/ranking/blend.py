"""The blend: a linear model of log features, with a small residual network on top.

Both minimise the listwise softmax cross-entropy over the candidates of each user, so only the order within a user
matters (ListNet's top-one loss, Cao et al. 2007). Reason codes read the linear part; the network starts at zero and
adds what a product of scores cannot express.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

FAR = 1e3  # how far below the short list the other candidates are placed


@dataclass(frozen=True)
class Effort:
    """How the blend of one list is fitted. `kept`: number of best new candidates that the network sees."""

    hidden: int
    epochs: int
    weight_decay: float
    kept: int
    learning_rate: float = 3e-3
    dropout: float = 0.2
    users_per_batch: int = 128
    seeds: int = 3
    l2: float = 1e-3  # of the linear part
    linear_users: int = 2000  # that the linear part is fitted on
    iterations: int = 40


@dataclass(frozen=True)
class Groups:
    """Candidates sorted by group; a group is a user at a moment and has at least one hit."""

    x: Tensor  # [rows, features]
    hit: Tensor  # [rows] 0 or 1
    group: Tensor  # [rows] 0 .. groups - 1

    @property
    def count(self) -> int:
        return int(self.group[-1]) + 1 if len(self.group) else 0


def groups(x: np.ndarray, hit: np.ndarray, group: np.ndarray) -> Groups:
    """Groups without a hit are left out: no order of theirs is right."""
    hits = np.bincount(group, hit, minlength=1)
    keep = hits[group] > 0
    _, numbered = np.unique(group[keep], return_inverse=True)
    return Groups(
        torch.from_numpy(x[keep]),
        torch.from_numpy(hit[keep].astype(np.float32)),
        torch.from_numpy(numbered.astype(np.int64)),
    )


def listwise_loss(scores: Tensor, rows: Tensor, hit: Tensor, count: int, power: float) -> Tensor:
    """Mean over groups of the hits' mean negative log-likelihood, weighted by hits^power (<= 10).

    `rows` is the group of each score, 0 .. count - 1.
    """
    top = torch.full((count,), -torch.inf).scatter_reduce(0, rows, scores.detach(), "amax")
    total = torch.zeros(count).index_add(0, rows, torch.exp(scores - top[rows])).log() + top
    hits = torch.zeros(count).index_add(0, rows, hit)
    loss = torch.zeros(count).index_add(0, rows, hit * (total[rows] - scores)) / hits
    weight = hits.clamp(max=10) ** power
    return (loss * weight).sum() / weight.sum()


class Blend(nn.Module):
    """score = linear(z) + network(z), averaged over seeds; z are the features, scaled."""

    def __init__(self, features: int, hidden: int, seeds: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        bound = features**-0.5
        self.linear = nn.Parameter(torch.zeros(seeds, features))
        self.body = nn.Parameter(torch.empty(seeds, features, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(seeds, 1, hidden).uniform_(-bound, bound))
        self.head = nn.Parameter(torch.zeros(seeds, hidden))
        self.dropout = nn.Dropout(dropout)

    def z(self, x: Tensor) -> Tensor:
        """[rows, features] within five standard deviations of the fitted windows."""
        return ((x - self.mean) / self.scale).clamp(-5, 5)

    def each(self, x: Tensor) -> Tensor:
        """[seeds, rows] scores."""
        z = self.z(x)
        hidden = self.dropout(nn.functional.silu(z @ self.body + self.bias))
        return (hidden @ self.head.unsqueeze(2)).squeeze(2) + self.linear @ z.T

    def forward(self, x: Tensor) -> Tensor:
        """[rows] scores."""
        return self.each(x).mean(0)


def fit_linear(rows: Groups, mean: Tensor, scale: Tensor, effort: Effort) -> Tensor:
    """[features] weights of scaled features: convex, so the result does not depend on a seed."""
    x = (rows.x - mean) / scale
    weights = torch.zeros(x.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=effort.iterations, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        fit = listwise_loss(x @ weights, rows.group, rows.hit, rows.count, 0.0)
        loss = fit + effort.l2 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


def plain_blend(weights: list[float]) -> Blend:
    """A linear blend with given weights of unscaled features."""
    blend = Blend(len(weights), 1, 1)
    with torch.no_grad():
        blend.linear.copy_(torch.tensor(weights))
    return blend.eval()


def linear_blend(rows: Groups, effort: Effort) -> Blend:
    """The linear part alone: a blend whose networks are zero."""
    rows = _spread(rows, effort.linear_users)
    blend = Blend(rows.x.shape[1], 1, 1)
    blend.mean.copy_(rows.x.mean(0))
    blend.scale.copy_(_scale(rows.x))
    with torch.no_grad():
        blend.linear.copy_(fit_linear(rows, blend.mean, blend.scale, effort))
    return blend.eval()


def fit_blend(rows: Groups, start: Blend, effort: Effort, seed: int) -> Blend:
    """Adds the networks to the linear blend `start`; every seed sees the same batches."""
    torch.manual_seed(seed)
    blend = Blend(rows.x.shape[1], effort.hidden, effort.seeds, effort.dropout)
    blend.mean.copy_(start.mean)
    blend.scale.copy_(start.scale)
    with torch.no_grad():
        blend.linear.copy_(start.linear.expand_as(blend.linear))
    rate, batch = effort.learning_rate, effort.users_per_batch
    optimizer = torch.optim.AdamW(blend.parameters(), lr=rate, weight_decay=effort.weight_decay)
    steps = effort.epochs * -(-rows.count // batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps + 1, pct_start=0.1)
    for _ in range(effort.epochs):
        for picked in torch.randperm(rows.count).split(batch):
            part = _part(rows, picked)
            scores = blend.each(part.x)
            loss = sum(listwise_loss(one, part.group, part.hit, len(picked), 0.5) for one in scores)
            optimizer.zero_grad()
            torch.as_tensor(loss).backward()
            optimizer.step()
            plan.step()
    return blend.eval()


def _spread(rows: Groups, most: int) -> Groups:
    """At most `most` groups, spread evenly over all groups: a few weights need no more."""
    if rows.count <= most:
        return rows
    return _part(rows, torch.linspace(0, rows.count - 1, most).long())


def _part(rows: Groups, picked: Tensor) -> Groups:
    """The rows of some groups, renumbered."""
    starts = torch.searchsorted(rows.group, torch.arange(rows.count + 1))
    size = starts[picked + 1] - starts[picked]
    group = torch.repeat_interleave(torch.arange(len(picked)), size)
    within = torch.arange(len(group)) - torch.repeat_interleave(size.cumsum(0) - size, size)
    index = starts[picked][group] + within
    return Groups(rows.x[index], rows.hit[index], group)


def _scale(x: Tensor) -> Tensor:
    return x.std(0) + 1e-6
