"""A text encoder of random weights that is built on the spot, and a shop with texts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from pipeline.runtime.days import shift

WORDS = (
    "red",
    "blue",
    "green",
    "mug",
    "cup",
    "lamp",
    "drill",
    "kettle",
    "scarf",
    "tea",
    "light",
    "home",
    "tools",
    "set",
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
DAY = datetime(2024, 5, 1, 12, tzinfo=UTC)
CUT, LAST = "2024-05-20", "2024-05-30"


def build_encoder(folder: Path, width: int = 32, seed: int = 1, dropout: float = 0.0) -> Path:
    """A folder with a BERT of two layers and a tokenizer of WORDS."""
    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), SPECIAL, strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{f"{key}_token": word for key, word in names.items()})
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def items(titles: dict[str, str], category: str | None = None, first_ds: str = "2024-05-01") -> pl.DataFrame:
    """Rows of `items` by item id."""
    rows = [(key, title, category, None, first_ds) for key, title in titles.items()]
    columns = ("item_id", "title", "category", "brand", "first_ds")
    return pl.DataFrame(rows, dict.fromkeys(columns, pl.String), orient="row")


def events(rows: list[tuple[str, str | None, str, float, str | None]]) -> pl.DataFrame:
    """Events of (user, item, type, days after DAY, text)."""
    told = [
        (user, item, kind, DAY + timedelta(days=days), shift("2024-05-01", int(days)), text)
        for user, item, kind, days, text in rows
    ]
    schema = {
        "user_id": pl.String,
        "item_id": pl.String,
        "event_type": pl.String,
        "event_time": pl.Datetime("us", "UTC"),
        "arrival_ds": pl.String,
        "text": pl.String,
    }
    return pl.DataFrame(told, schema, orient="row")
