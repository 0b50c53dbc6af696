"""A pretrained text encoder on disk: tokenizer, transformer, pooling and projection, as its own files say.

Pooling and projection are read from the files that sentence-transformers writes (`modules.json`, `1_Pooling/`,
`2_Dense/`); a folder without them is pooled by the mean of its tokens, or by its last token where the model is a
decoder. A folder that brings its own code, no tokenizer, or only a part of its weights is refused.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import cached_file, logging

from pipeline.runtime.errors import SettingsError

POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
MODULES = "sentence_transformers.models."
ACTIVATIONS = {"Identity": nn.Identity, "Tanh": nn.Tanh}
UNUSED = "pooler."  # of BERT: reads the first token for a task that nobody asks for, and is often not on disk
UNLIMITED = 100_000  # a tokenizer without a longest text says a number above it
FULL = 16  # hex characters of a digest of all weights


class SentenceModel(nn.Module):
    """Tokens to vectors of length 1."""

    def __init__(self, transformer: nn.Module, pooling: str, projection: nn.Sequential | None = None) -> None:
        super().__init__()
        self.transformer, self.pooling, self.projection = transformer, pooling, projection

    @property
    def width(self) -> int:
        """Components of a vector."""
        if self.projection is not None:
            return int(self.projection[0].out_features)  # type: ignore[arg-type]
        return int(self.transformer.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """[rows, tokens, hidden] of [rows, tokens] ids and mask (1 = a token, 0 = padding on the right)."""
        return self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """[rows, width] float32 of [rows, tokens] ids and mask."""
        hidden = self.hidden(ids, mask).float()
        if self.pooling == "cls":
            pooled = hidden[:, 0]
        elif self.pooling == "last":
            pooled = hidden[torch.arange(len(hidden)), mask.sum(1) - 1]
        else:
            weights = mask.unsqueeze(-1).float()
            pooled = (hidden * weights).sum(1) / weights.sum(1)
        if self.projection is not None:
            pooled = self.projection(pooled)
        return nn.functional.normalize(pooled.float(), dim=1)


@dataclass(frozen=True)
class Pretrained:
    """What was read of a folder. `longest`: tokens of a text that the model can read; `prompt` goes before each."""

    model: SentenceModel
    tokenizer: Any
    longest: int
    prompt: str
    short_digest: str  # as versions of Tidemark before 0.2 made it, see `language_model.TextEncoder`

    def tokens(self, texts: list[str], length: int) -> list[list[int]]:
        """The ids of each text, cut at `length`."""
        if not texts:
            return []
        cut = {"truncation": True, "max_length": min(length, self.longest)}
        return self.tokenizer([self.prompt + text for text in texts], **cut)["input_ids"]


def read_pretrained(folder: str, name: str) -> Pretrained:
    """The encoder in a folder, or of a cached Hugging Face id; `name` is what messages call it.

    Raises SettingsError if it cannot be used.
    """
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what is missing is judged here
    try:
        config = AutoConfig.from_pretrained(folder)
        _refuse_code(config, folder, name)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        transformer, found = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    except SettingsError:
        raise
    except Exception as error:  # these libraries raise nearly everything for a folder that is no model
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER: expected a package that carries a model, a folder or a cached Hugging Face id of "
            f"an encoder with tokenizer and safetensors, found {name!r}: {str(error).splitlines()[0][:200]}"
        ) from None
    missing = sorted(key for key in found["missing_keys"] if UNUSED not in key and "position_ids" not in key)
    words = {"tokenizer.json", "tokenizer.model", *tokenizer.vocab_files_names.values()}
    no_words = not any(_file(folder, file) for file in words)  # a tokenizer of special tokens alone is made up then
    if missing or no_words:
        lacks = f"{len(missing)} weights, such as {missing[0]}" if missing else "its tokenizer (tokenizer.json)"
        raise SettingsError(f"TIDEMARK_TEXT_ENCODER={name}: expected a whole model, it lacks {lacks}; take another")
    if len(tokenizer) > config.vocab_size:
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER={name}: expected a tokenizer of at most {config.vocab_size} tokens, which the "
            f"model has, found {len(tokenizer)}; put the model's own tokenizer into the folder"
        )
    short = digest(transformer)
    if getattr(transformer, "pooler", None) is not None:
        transformer.pooler = None
    pooling, projection = _modules(folder, name, config)
    model = SentenceModel(transformer, pooling, projection).eval()
    told = _json(folder, "config_sentence_transformers.json")
    prompt = (told.get("prompts") or {}).get(told.get("default_prompt_name") or "", "")
    limits = [getattr(config, "max_position_embeddings", None), tokenizer.model_max_length]
    longest = min((int(it) for it in limits if it and 0 < it < UNLIMITED), default=UNLIMITED)
    return Pretrained(model, tokenizer, longest, prompt, short)


def save_pretrained(read: Pretrained, folder: Path, about: dict[str, Any]) -> None:
    """Writes a folder for `read_pretrained` or sentence-transformers; `about` goes into `adaptation.json`."""
    model = read.model
    model.transformer.save_pretrained(folder)  # type: ignore[operator]
    read.tokenizer.save_pretrained(folder)
    parts = [("", "Transformer"), ("1_Pooling", "Pooling")]
    pooling: dict[str, Any] = {key: kind == model.pooling for key, kind in POOLINGS.items()}
    pooling["word_embedding_dimension"] = int(model.transformer.config.hidden_size)  # type: ignore[union-attr, arg-type]
    _write(folder / "1_Pooling" / "config.json", pooling)
    if model.projection is not None:
        linear, activation = model.projection[0], model.projection[1]
        assert isinstance(linear, nn.Linear), "a projection is a linear layer and its activation"
        parts.append(("2_Dense", "Dense"))
        dense = {
            "in_features": linear.in_features,
            "out_features": linear.out_features,
            "bias": linear.bias is not None,
            "activation_function": f"torch.nn.modules.{type(activation).__name__}",
        }
        _write(folder / "2_Dense" / "config.json", dense)
        weights = {f"linear.{key}": value.contiguous() for key, value in linear.state_dict().items()}
        save_file(weights, folder / "2_Dense" / "model.safetensors")
    parts.append((f"{len(parts)}_Normalize", "Normalize"))
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": MODULES + kind}
        for number, (path, kind) in enumerate(parts)
    ]
    _write(folder / "modules.json", listed)
    prompts = {"prompts": {"all": read.prompt}, "default_prompt_name": "all"} if read.prompt else {}
    _write(folder / "config_sentence_transformers.json", prompts)
    _write(folder / "adaptation.json", about)


def digest(model: nn.Module) -> str:
    """Eight hex characters that change with the first 64 numbers of each weight."""
    digest = hashlib.sha256()
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.flatten()[:64].float().numpy().tobytes())
    return digest.hexdigest()[:8]


def full_digest(read: Pretrained) -> str:
    """FULL hex characters that change with any number of any weight, with pooling, prompt and vocabulary."""
    vocabulary = sorted(read.tokenizer.get_vocab().items())
    digest = hashlib.sha256(json.dumps([read.model.pooling, read.prompt, vocabulary]).encode())
    for name, weights in sorted(read.model.state_dict().items()):
        digest.update(f"{name} {tuple(weights.shape)}".encode())
        digest.update(weights.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:FULL]


def _refuse_code(config: Any, folder: str, name: str) -> None:
    tells = (config.to_dict(), _json(folder, "tokenizer_config.json"))
    if any(told.get("auto_map") for told in tells):
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER={name}: expected a model of the transformers library, found one that brings "
            "its own code (auto_map); it is not run. Take a model without remote code"
        )


def _modules(folder: str, name: str, config: Any) -> tuple[str, nn.Sequential | None]:
    """How tokens become one vector, and what follows."""
    decoder = any("CausalLM" in kind for kind in config.architectures or ())
    pooling, projection = "last" if decoder else "mean", None
    for module in _json(folder, "modules.json") or ():
        kind, path = module["type"].rpartition(".")[2], module["path"]
        if kind == "Pooling":
            pooling = _pooling(_json(folder, f"{path}/config.json"), name)
        elif kind == "Dense":
            projection = _dense(folder, path, name, config.hidden_size)
        elif kind not in ("Transformer", "Normalize"):
            raise SettingsError(
                f"TIDEMARK_TEXT_ENCODER={name}: modules.json names {kind!r}, expected Transformer, Pooling, Dense or "
                "Normalize; take another encoder"
            )
    return pooling, projection


def _pooling(told: dict[str, Any], name: str) -> str:
    chosen = [key for key, value in told.items() if key.startswith("pooling_mode_") and value is True]
    kinds = [POOLINGS.get(key, "") for key in chosen] or [str(told.get("pooling_mode", ""))]
    if len(kinds) != 1 or kinds[0] not in POOLINGS.values():
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER={name}: 1_Pooling/config.json expected mean, CLS or last token, one of them, found "
            f"{', '.join(chosen) or kinds[0] or 'nothing'}; take another encoder"
        )
    return kinds[0]


def _dense(folder: str, path: str, name: str, hidden: int) -> nn.Sequential:
    told, file = _json(folder, f"{path}/config.json"), _file(folder, f"{path}/model.safetensors")
    activation = str(told.get("activation_function", "")).rpartition(".")[2]
    if file is None or activation not in ACTIVATIONS or told.get("in_features") != hidden:
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER={name}: {path} expected model.safetensors of {hidden} inputs, as wide as the "
            f"model, with activation {' or '.join(ACTIVATIONS)}, found {told.get('in_features')} inputs and "
            f"{activation or 'none'}; take another encoder"
        )
    linear = nn.Linear(told["in_features"], told["out_features"], bias=bool(told.get("bias", True)))
    linear.load_state_dict({key.removeprefix("linear."): value for key, value in load_file(file).items()})
    return nn.Sequential(linear, ACTIVATIONS[activation]())


def _file(folder: str, file: str) -> str | None:
    """Where a file of the folder or of the cached id is, None where there is none."""
    if Path(folder).is_dir():
        return str(Path(folder) / file) if (Path(folder) / file).is_file() else None
    try:
        return cached_file(folder, file, local_files_only=True)
    except OSError:
        return None


def _json(folder: str, file: str) -> Any:
    found = _file(folder, file)
    return json.loads(Path(found).read_text(encoding="utf-8")) if found else {}


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
