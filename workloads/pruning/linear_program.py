"""The best transposable masks through a library: a linear program, solved by HiGHS.

Maximize the sum of w * x with x between 0 and 1 and n in every row and column. The constraints are those of a bipartite
graph (each x is in one row and one column), so their matrix is totally unimodular (Hoffman and Kruskal 1956) and every
vertex of the feasible set is a mask: the program needs no integer variables. HiGHS answers within its tolerance, 1e-10
of the block's largest here, which is what `transposable.optimal_blocks` is compared with; that one is far faster.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from workloads.pruning.transposable import checked_blocks

TOLERANCE = 1e-10  # the least that HiGHS takes
BLOCKS_TOGETHER = 100  # in one program: measured fastest for 2:4 and 4:8 among 1, 10, 100 and 1000


def constraint_matrix(m: int) -> sparse.csr_array:
    """(2m, m * m): row sums, then column sums, of an m x m block flattened row by row."""
    each = sparse.eye_array(m)
    ones = np.ones((1, m))
    return sparse.csr_array(sparse.vstack([sparse.kron(each, ones), sparse.kron(ones, each)]))


def solve(blocks: np.ndarray, n: int) -> np.ndarray:
    """x (n_blocks, m, m) float64, the largest sum of x * |blocks| with n in every row and column; as HiGHS gives it.

    Each block is one program; several are solved together, as one with a block-diagonal matrix.
    """
    blocks = np.abs(checked_blocks(blocks, n))
    scales = blocks.max(axis=(1, 2), keepdims=True)
    objective = blocks / np.where(scales > 0, scales, 1.0)
    found = np.empty(blocks.shape)
    for start in range(0, len(blocks), BLOCKS_TOGETHER):
        found[start : start + BLOCKS_TOGETHER] = _solve_together(objective[start : start + BLOCKS_TOGETHER], n)
    return found


def _solve_together(objective: np.ndarray, n: int) -> np.ndarray:
    n_blocks, m, _ = objective.shape
    rows_and_columns = sparse.kron(sparse.eye_array(n_blocks), constraint_matrix(m), format="csr")
    answer = linprog(
        -objective.ravel(),
        A_eq=rows_and_columns,
        b_eq=np.full(2 * m * n_blocks, float(n)),
        bounds=(0, 1),
        method="highs-ds",  # simplex: it ends on a vertex
        options={"dual_feasibility_tolerance": TOLERANCE, "primal_feasibility_tolerance": TOLERANCE},
    )
    if answer.status != 0:
        raise RuntimeError(f"HiGHS found no optimum of {n_blocks} blocks of {m} x {m}: {answer.message}")
    return answer.x.reshape(objective.shape)
