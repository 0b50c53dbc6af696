"""How likely each arm is the best one, exactly: what Thompson sampling shows it with.

P(arm a is best) is the integral over u in (0, 1) of the product over the other arms b of F_b(F_a^-1(u)). Gauss-Legendre
quadrature needs no seed and no draws.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

NODES = 128


def best_of_betas(alpha: np.ndarray, beta: np.ndarray, nodes: int = NODES) -> np.ndarray:
    """Strata x arms, for Beta(alpha, beta) posteriors."""
    at, weights = _nodes(nodes)
    values = special.betaincinv(alpha[..., None], beta[..., None], at)  # strata x arms x nodes
    return _integrate(
        values, weights, lambda arm, x: special.betainc(alpha[:, arm, None, None], beta[:, arm, None, None], x)
    )


def best_of_normals(mean: np.ndarray, deviation: np.ndarray, nodes: int = NODES) -> np.ndarray:
    """Strata x arms, for normal posteriors."""
    at, weights = _nodes(nodes)
    values = mean[..., None] + deviation[..., None] * special.ndtri(at)
    return _integrate(
        values,
        weights,
        lambda arm, x: special.ndtr((x - mean[:, arm, None, None]) / deviation[:, arm, None, None]),
    )


def _nodes(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in (0, 1), dense at both ends, where the cumulative functions turn."""
    at, weights = np.polynomial.legendre.leggauss(nodes)
    return (at + 1) / 2, weights / 2


def _integrate(values: np.ndarray, weights: np.ndarray, below: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    product = np.ones_like(values)
    arms = values.shape[1]
    for other in range(arms):
        share = below(other, values)
        share[:, other] = 1.0
        product *= share
    chances = product @ weights
    return chances / chances.sum(axis=1, keepdims=True)
