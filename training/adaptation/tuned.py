"""The part of an encoder that is trained, and the encoder that comes of it."""

from typing import Any

import torch
from torch import nn

from pipeline.runtime.errors import ModelError
from training.adaptation.losses import MaskedWords
from training.adaptation.presets import AdaptPreset
from training.network.adapter import Adapter
from training.network.tuning import tuner
from training.texts.pretrained import Pretrained, SentenceModel


class Tuned(nn.Module):
    """An encoder with what is added to it while it is adapted; its state is all that a checkpoint needs."""

    def __init__(self, read: Pretrained, preset: AdaptPreset) -> None:
        super().__init__()
        torch.manual_seed(preset.seed)
        self.read = read
        self.sentence: SentenceModel = read.model
        self.adapter: Adapter | None = None
        self.words: MaskedWords | None = None
        config: Any = self.sentence.transformer.config
        if "mlm" in preset.objectives:
            if read.tokenizer.mask_token_id is None:
                raise ModelError(
                    "objective mlm: expected an encoder whose tokenizer has a mask token, found none, as of a decoder; "
                    "leave mlm out of --objectives"
                )
            self.words = MaskedWords(config.hidden_size, config.vocab_size)
        if preset.tuning == "full":
            self.sentence.requires_grad_(True)
        elif preset.tuning == "frozen":
            self.sentence.transformer.requires_grad_(False)
            if self.sentence.projection is None:
                self.sentence.projection = _projection(self.sentence.width)
        else:
            self.sentence.transformer.requires_grad_(False)
            self.adapter = Adapter(tuner(self.sentence.transformer, preset.tuning, preset.rank))
        if preset.checkpointing:
            _checkpoint(self.sentence.transformer)

    @property
    def embeddings(self) -> torch.Tensor:
        """[words, hidden] of the encoder."""
        return self.sentence.transformer.get_input_embeddings().weight  # type: ignore[operator]

    def merged(self) -> Pretrained:
        """The adapted encoder, an ordinary one: what an adapter learned is added to its own weights."""
        if self.adapter is not None:
            adapter, self.adapter = self.adapter, None
            self.sentence.transformer = adapter.tuner.merge_and_unload()
        self.sentence.requires_grad_(True)
        self.sentence.eval()
        return self.read


def _projection(width: int) -> nn.Sequential:
    """Starts as the identity: before the first step, vectors are those of the encoder."""
    linear = nn.Linear(width, width, bias=False)
    nn.init.eye_(linear.weight)
    return nn.Sequential(linear, nn.Identity())


def _checkpoint(transformer: Any) -> None:
    if not getattr(transformer, "supports_gradient_checkpointing", False):
        raise ModelError(
            f"--checkpointing: {type(transformer).__name__} does not support it; lower the preset's batch in its place"
        )
    transformer.gradient_checkpointing_enable({"use_reentrant": False})
