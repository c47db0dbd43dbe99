"""The cheapest way to give each row of a table of costs a column of its own.

Source: R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
assignment problems", Computing 38, 1987: rows come one after the other, and each takes the cheapest path of
exchanges to a free column. What `scipy.optimize.linear_sum_assignment` finds, without scipy, for tables of
some tens of rows. Knows no network.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_HOPELESS = 1e9
"""What a cost that is no number counts as: such a pair is taken where nothing else is left."""


def assign(costs: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """The column of each row, all different, so that the sum of costs is the least.

    Args:
        costs: `(rows, columns)`, at least as many columns as rows.
    """
    table = np.nan_to_num(costs.astype(np.float64), nan=_HOPELESS, posinf=_HOPELESS, neginf=-_HOPELESS)
    rows, columns = table.shape
    if rows > columns:
        raise ValueError(f"{rows} rows cannot have a column each of {columns}")
    row_of = np.full(columns, -1, np.int64)
    column_of = np.full(rows, -1, np.int64)
    of_rows, of_columns = np.zeros(rows), np.zeros(columns)  # prices: no pair costs less than its two
    for row in range(rows):
        free, before, reached, costs_to = _cheapest_path(table, row, row_of, of_rows, of_columns)
        # Prices rise along all paths that were shorter, so that these pairs stay free of loss.
        of_rows[row] += costs_to[free]
        taken = reached.copy()
        taken[free] = False
        of_rows[row_of[taken]] += costs_to[free] - costs_to[taken]
        of_columns[taken] -= costs_to[free] - costs_to[taken]
        # Each row along the path takes the column of the next.
        column = free
        while True:
            owner = before[column]
            row_of[column], column_of[owner], column = owner, column, column_of[owner]
            if owner == row:
                break
    return column_of


def _cheapest_path(
    table: npt.NDArray[np.float64],
    row: int,
    row_of: npt.NDArray[np.int64],
    of_rows: npt.NDArray[np.float64],
    of_columns: npt.NDArray[np.float64],
) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """From a row to a free column, by Dijkstra's rule.

    Returns:
        The free column; for each column the row before it on its path; which columns were reached, the free
        one among them; and what the path to each costs.
    """
    columns = table.shape[1]
    costs_to, before = np.full(columns, np.inf), np.full(columns, -1, np.int64)
    reached = np.zeros(columns, np.bool_)
    owner, so_far = row, 0.0
    while True:
        through = so_far + table[owner] - of_rows[owner] - of_columns
        better = ~reached & (through < costs_to)
        costs_to[better], before[better] = through[better], owner
        column = int(np.where(reached, np.inf, costs_to).argmin())
        reached[column], so_far = True, float(costs_to[column])
        if row_of[column] < 0:
            return column, before, reached, costs_to
        owner = int(row_of[column])
