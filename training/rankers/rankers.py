"""All blends of a model: for every platform and list, and how they are kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.runtime.errors import ModelError
from training.ranking.blend import Blend
from training.ranking.mixture import Mixture
from training.ranking.order import Ranker

ANY = "*"  # platforms with too few finished windows of their own
FILE = "ranking.safetensors"


@dataclass(frozen=True)
class Fitted:
    """The order of one list on one platform."""

    ranker: Ranker
    mixture: Mixture


@dataclass(frozen=True)
class Rankers:
    """(platform or ANY, list) -> its order. `features` names what the blends read, in order."""

    fitted: dict[tuple[str, str], Fitted]
    features: list[str]

    def of(self, platform: str, name: str) -> Fitted:
        """Of the platform, or that of all platforms together."""
        return self.fitted.get((platform, name)) or self.fitted[ANY, name]

    def check(self, features: list[str]) -> None:
        """Raises ModelError when this code reads other features than the blends were fitted on."""
        if features != self.features:
            odd = sorted(set(features) ^ set(self.features))
            raise ModelError(
                f"{FILE}: expected {len(features)} features, found {len(self.features)} "
                f"({', '.join(odd[:5])}); the model is of another release, train again"
            )


def save_rankers(rankers: Rankers, folder: Path) -> None:
    """Writes FILE: tensors named `<platform>/<list>/<part>/<parameter>`."""
    tensors = {}
    for (platform, name), fitted in rankers.fitted.items():
        for part in ("first", "blend"):
            for parameter, value in getattr(fitted.ranker, part).state_dict().items():
                tensors[f"{platform}/{name}/{part}/{parameter}"] = value.contiguous().clone()
        tensors[f"{platform}/{name}/mixture"] = torch.tensor(fitted.mixture.weights)
        kept = [fitted.ranker.kept, int(fitted.ranker.new_only)]
        tensors[f"{platform}/{name}/kept"] = torch.tensor(kept)
    save_file(tensors, folder / FILE, metadata={"features": " ".join(rankers.features)})


def load_rankers(folder: Path) -> Rankers:
    """Reads FILE."""
    with safe_open(folder / FILE, framework="pt") as file:
        features = file.metadata()["features"].split()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    fitted = {}
    for key in sorted(key for key in tensors if key.endswith("/mixture")):
        platform, name, _ = key.split("/")
        kept, new_only = tensors[f"{platform}/{name}/kept"].tolist()
        first, blend = (_blend(tensors, f"{platform}/{name}/{p}/") for p in ("first", "blend"))
        ranker = Ranker(first, blend, kept, bool(new_only))
        fitted[platform, name] = Fitted(ranker, Mixture(np.array(tensors[key])))
    return Rankers(fitted, features)


def _blend(tensors: dict[str, torch.Tensor], prefix: str) -> Blend:
    state = {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
    seeds, features, hidden = state["body"].shape
    blend = Blend(features, hidden, seeds)
    blend.load_state_dict(state)
    return blend.eval()
