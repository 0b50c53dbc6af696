"""Which policy, with which settings: what a campaign declares and a table names."""

from dataclasses import asdict, dataclass

UNIFORM, CHAMPION = "uniform", "champion"
BANDITS = ("epsilon_greedy", "ucb1", "thompson_beta", "thompson_gaussian")
CONTEXTUAL = ("linucb", "lints")
POLICIES = (UNIFORM, CHAMPION, *BANDITS, *CONTEXTUAL)


@dataclass(frozen=True)
class Policy:
    """A policy by name. `champion` repeats what is published today.

    What was seen `age` days ago counts `discount ** age`, and nothing at all once it is `window_days` old: interests
    drift (Garivier and Moulines 2011). `epsilon` is of epsilon_greedy, `confidence` of ucb1 and linucb, `draws` of
    lints.
    """

    name: str
    epsilon: float = 0.1
    confidence: float = 1.0
    discount: float = 1.0
    window_days: int = 0  # 0: everything counts
    draws: int = 64

    @property
    def label(self) -> str:
        """The name, with every setting that is not the usual one: `ucb1(discount=0.9)`."""
        usual = asdict(Policy(self.name))
        said = [f"{key}={value}" for key, value in asdict(self).items() if value != usual[key]]
        return f"{self.name}({', '.join(said)})" if said else self.name
