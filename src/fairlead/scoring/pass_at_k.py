"""pass@k: how probable it is that one of k answers is right, from n answers of which c were.

Unbiased (Chen et al., 2021, "Evaluating large language models trained on code", equation 1): 1 - C(n-c, k) / C(n, k).
"""

from math import comb


def pass_at_k(answers: int, right: int, k: int) -> float:
    """Raises ValueError unless 0 <= right <= answers and 1 <= k <= answers: more than was asked can't be known."""
    if not 0 <= right <= answers or not 1 <= k <= answers:
        raise ValueError(f"pass@{k} can't be told from {right} right of {answers} answers")
    return 1 - comb(answers - right, k) / comb(answers, k)
