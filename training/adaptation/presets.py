"""Named sets of choices for adapting a text encoder; a preset is logged whole with every run.

Objectives, of which any may be combined:

    together   items that one user engaged with within `within_hours`, one after the other
    query      a query, and an item that its user came to within QUERY_MINUTES
    review     an item, and a review of it
    category   a title, and the category of its item
    mlm        words masked in all of these texts (Devlin et al. 2019)

Tuning: full, lora, adalora, ia3 (training/network/tuning.py), or frozen: a linear layer after the encoder alone.
"""

from dataclasses import dataclass, replace

from pipeline.runtime.errors import UsageError

PAIRS = ("together", "query", "review", "category")
OBJECTIVES = (*PAIRS, "mlm")
TUNINGS = ("full", "lora", "adalora", "ia3", "frozen")
PRECISIONS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class AdaptPreset:
    """Every choice of what is learned and how."""

    name: str
    objectives: tuple[str, ...] = ()  # all pairs for which the log has any, if none are named
    tuning: str = "lora"
    rank: int = 16
    within_hours: int = 24  # between two items of a pair of `together`
    held_out: float = 0.1  # newest share of the engagements, by day: what is judged on
    pairs: int = 20_000  # of each objective in an epoch, at most; texts for mlm
    batch: int = 128  # pairs of a step, over all processes: each is a negative of the others
    epochs: int = 2
    learning_rate: float = 2e-4
    warmup: float = 0.1  # share of the steps
    weight_decay: float = 0.01
    clip: float = 1.0
    temperature: float = 0.05
    masked: float = 0.15  # share of the words that mlm masks
    precision: str = "auto"  # bf16 where the machine computes in it, or fp32
    checkpointing: bool = False  # computes activations twice, to hold fewer of them
    judged_users: int = 20_000  # at most
    seed: int = 7


PRESETS = {
    preset.name: preset
    for preset in (
        AdaptPreset("base"),
        AdaptPreset("full", tuning="full", learning_rate=3e-5),
        AdaptPreset("adalora", tuning="adalora", learning_rate=5e-4),
        AdaptPreset("frozen", tuning="frozen", learning_rate=1e-3),
        AdaptPreset("words", objectives=("mlm",), tuning="full", learning_rate=5e-5),
        AdaptPreset("gpu", tuning="full", batch=1024, pairs=500_000, epochs=3, learning_rate=5e-5, checkpointing=True),
        AdaptPreset("tiny", pairs=256, batch=32, epochs=1, precision="fp32", rank=4),
    )
}


def adapt_preset(name: str, objectives: str = "", tuning: str = "", checkpointing: bool = False) -> AdaptPreset:
    """The preset with what was chosen otherwise. Raises UsageError for a name that does not exist."""
    if name not in PRESETS:
        raise UsageError(f"--preset: expected one of {', '.join(PRESETS)}, found {name!r}")
    found = PRESETS[name]
    if objectives:
        found = replace(found, objectives=tuple(dict.fromkeys(it.strip() for it in objectives.split(","))))
    if tuning:
        found = replace(found, tuning=tuning)
    return checked(replace(found, checkpointing=checkpointing or found.checkpointing))


def checked(preset: AdaptPreset) -> AdaptPreset:
    """The same preset. Raises UsageError if its choices do not go together."""
    unknown = [it for it in preset.objectives if it not in OBJECTIVES]
    if unknown:
        raise UsageError(f"--objectives: expected some of {', '.join(OBJECTIVES)}, found {unknown[0]!r}")
    if preset.tuning not in TUNINGS:
        raise UsageError(f"--tuning: expected one of {', '.join(TUNINGS)}, found {preset.tuning!r}")
    if preset.tuning == "frozen" and "mlm" in preset.objectives:
        raise UsageError("--tuning frozen: expected objectives other than mlm, which trains the encoder itself")
    if preset.batch < 2:
        raise UsageError(f"preset {preset.name}: expected a batch of at least 2 pairs, found {preset.batch}")
    return preset
