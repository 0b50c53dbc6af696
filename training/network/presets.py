"""Named sets of model choices; a preset is logged whole with every run."""

from dataclasses import dataclass, replace
from typing import Any

from pipeline.runtime.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """Every choice of architecture, loss and schedule."""

    name: str
    # architecture
    width: int = 64  # of events, items and users
    layers: int = 2
    attention_heads: int = 2
    head_width: int = 64  # hidden layer of the propensity heads
    events: int = 64  # newest events of a user that are read
    dropout: float = 0.1  # on event vectors and in the propensity heads
    id_dropout: float = 0.2  # how often an item is known by its text alone
    reads_text: bool = True  # of queries and reviews, as of items
    backbone: str = ""  # a pretrained Hugging Face model instead of blocks of these sizes
    modality_dropout: float = 0.2  # how often an item with a picture lacks it, or its text
    # what is trained of the backbone
    tuning: str = "full"  # full, frozen, lora, adalora, ia3 or prefix: training/network/tuning.py
    rank: int = 8  # of lora; what adalora has on average in the end
    prefix: int = 8  # positions of prefix
    # loss
    targets: int = 8  # later items drawn per row
    target_days: int = 28  # how far ahead they may lie
    full_softmax: int = 8192  # catalogues up to this size are scored whole in training
    negatives: int = 2048  # drawn for larger ones, half by frequency and half uniformly
    items_weight: float = 1.0
    heads_weight: float = 1.0  # 0 = pretraining: no label is used
    # schedule
    batch: int = 256  # rows of a step, over all processes
    accumulate: int = 1  # micro-batches of a step
    epochs: int = 8
    steps_per_epoch: int = 100  # at most; fewer when the rows are used up
    patience: int = 2  # epochs without a better validation loss
    learning_rate: float = 3e-3
    warmup: float = 0.1  # share of all steps
    weight_decay: float = 0.01
    clip: float = 1.0
    bf16: bool = False  # autocast: pays where matrices are wide
    # robustness, each off by default: training.ablate measures what it does
    average: float = 0.0  # decay per step of the moving average of weights that is published
    adversarial: float = 0.0  # size of the worst shift of event vectors, in shares of their norm
    seeds: int = 1  # members of an ensemble, trained from seeds one apart
    replay: float = 1.0  # share of the rows without news that a warm start goes over again
    # privacy of the heads, off by default: training/fitting/private_heads.py
    epsilon: float = 0.0  # what a user's labels may cost; 0 = no such guarantee
    delta: float = 1e-5  # below one over the number of users
    dp_users: int = 256  # users of a step, on average
    dp_steps: int = 300
    dp_clip: float = 1.0  # norm that a user's gradient is cut to
    # after training
    blend_users: int = 1000  # users of each finished window that the ranking is fitted on
    blend_effort: float = 1.0  # share of the epochs of that fit
    blend_seeds: int = 3
    ranked_items: int = 32_768  # items of a platform that item-item weights are made of
    ease_items: int = 4096  # those of EASE, whose memory is their number squared
    judged_users: int = 4000  # test users that are ranked, those with the smallest ids
    seed: int = 7

    @property
    def is_pretraining(self) -> bool:
        """Whether no label is used: such a model is a starting point and is not published."""
        return self.heads_weight == 0 and not self.epsilon

    def warm(self) -> "Preset":
        """The same choices for a nightly start from the champion: a few small steps, with replay."""
        rate, epochs = WARM_RATE * self.learning_rate, min(WARM_EPOCHS, self.epochs)
        return replace(self, learning_rate=rate, epochs=epochs, replay=WARM_REPLAY)

    def on(self, earlier: dict[str, Any]) -> "Preset":
        """The same choices on the architecture of an earlier model's preset."""
        same = {name: earlier[name] for name in ARCHITECTURE if name in earlier}
        return replace(self, **same)


TUNINGS = ("full", "frozen", "lora", "adalora", "ia3", "prefix")
ARCHITECTURE = ("width", "layers", "attention_heads", "head_width", "events", "backbone")
# A quarter of replay forgets nothing (docs/notebook/training.md); rate and epochs were set by judgement.
WARM_RATE, WARM_EPOCHS, WARM_REPLAY = 0.3, 2, 0.25
BASE = Preset("base")
PRESETS = {
    preset.name: preset
    for preset in (
        BASE,
        replace(
            BASE,
            name="tiny",
            width=16,
            layers=1,
            head_width=16,
            events=16,
            targets=4,
            batch=64,
            epochs=2,
            steps_per_epoch=8,
            blend_users=64,
            blend_effort=0.1,
            blend_seeds=1,
            judged_users=200,
        ),
        replace(
            BASE,
            name="gpu",
            width=256,
            layers=6,
            attention_heads=8,
            head_width=256,
            events=256,
            targets=32,
            full_softmax=65_536,
            negatives=16_384,
            batch=1024,
            epochs=20,
            steps_per_epoch=2000,
            patience=3,
            learning_rate=1e-3,
            bf16=True,
            blend_users=8000,
            ease_items=8192,
            judged_users=20_000,
        ),
        replace(  # takes a tenth of base's time: to compare choices
            BASE,
            name="quick",
            width=32,
            layers=1,
            head_width=32,
            events=32,
            targets=4,
            epochs=4,
        ),
        replace(BASE, name="pretrain", heads_weight=0.0),
        *(replace(BASE, name=mode, tuning=mode) for mode in TUNINGS if mode != "full"),
        replace(BASE, name="propensities", tuning="frozen", items_weight=0.0),
        replace(BASE, name="private", heads_weight=0.0, epsilon=8.0),
    )
}


def preset_named(name: str) -> Preset:
    """The preset. Raises UsageError when there is none of that name."""
    if name not in PRESETS:
        raise UsageError(f"preset: expected one of {', '.join(PRESETS)}, found {name!r}")
    return PRESETS[name]
