r"""Two symbols: limit scores and informations in closed form, and exactly when the parent wins.

With :math:`\pi = \begin{pmatrix}1-a & a\\ b & 1-b\end{pmatrix}` and :math:`\lambda = 1 - a - b` the powers are
:math:`\pi^k = 1\mu^T + \lambda^k (I - 1\mu^T)`, and every two-symbol chain is reversible, so that only the distance of
two tokens of a tree counts.
"""

from dataclasses import dataclass

import sympy as sp

A, B = sp.symbols("a b", positive=True)
K = sp.Symbol("k", integer=True, nonnegative=True)
EPSILON = sp.Symbol("epsilon", nonnegative=True)


@dataclass(frozen=True)
class TwoSymbols:
    """Closed forms in the symbols ``a``, ``b``, ``epsilon`` and the distance ``k``.

    Parameters
    ----------
    a, b : sympy Symbol
        The chances to leave the first and the second symbol.
    k : sympy Symbol
        The distance of two tokens in their tree.
    epsilon : sympy Symbol
        The constant inside the logarithm of the loss.

    Examples
    --------
    >>> form = TwoSymbols()
    >>> form.information
    (-a - b + 1)**(2*k)
    >>> sp.simplify(form.limit_score.subs(form.epsilon, 0))
    (-a - b + 1)**(k + 1)/2
    """

    a: sp.Symbol = A
    b: sp.Symbol = B
    k: sp.Symbol = K
    epsilon: sp.Symbol = EPSILON

    @property
    def transition(self) -> sp.Matrix:
        """The matrix, (2, 2)."""
        return sp.Matrix([[1 - self.a, self.a], [self.b, 1 - self.b]])

    @property
    def eigenvalue(self) -> sp.Expr:
        """The second eigenvalue, 1 - a - b."""
        return 1 - self.a - self.b

    @property
    def stationary(self) -> sp.Matrix:
        """The stationary law, (2, 1)."""
        return sp.Matrix([self.b, self.a]) / (self.a + self.b)

    @property
    def power(self) -> sp.Matrix:
        """The k-th power of the matrix."""
        level = sp.ones(2, 1) * self.stationary.T
        return level + self.eigenvalue**self.k * (sp.eye(2) - level)

    @property
    def joint(self) -> sp.Matrix:
        """Law of two tokens of one tree at distance k: symbols of the key in rows."""
        return sp.diag(*self.stationary) * self.power

    @property
    def constant(self) -> sp.Expr:
        """The factor of the power of the eigenvalue in the limit score; positive."""
        m = self.stationary
        return m[0] * m[1] / 2 * (1 / (m[0] + self.epsilon) + 1 / (m[1] + self.epsilon))

    @property
    def limit_score(self) -> sp.Expr:
        """The limit score at distance k, the diagonal being k = 0: a positive constant times lambda^(k + 1)."""
        return self.constant * self.eigenvalue ** (self.k + 1)

    @property
    def information(self) -> sp.Expr:
        """The chi-square information at distance k: lambda^(2 k)."""
        return self.eigenvalue ** (2 * self.k)

    def residuals(self) -> dict[str, sp.Expr]:
        """Return the difference of both sides of every identity, by name; all are zero when the closed forms hold.

        The power formula is proved by induction; scores and informations are then compared with their definitions
        for symbolic ``a``, ``b``, ``k`` and ``epsilon``.

        Returns
        -------
        dict of str to sympy expression
            The difference of both sides by the name of the identity.

        Examples
        --------
        >>> set(TwoSymbols().residuals().values())
        {0}
        """
        m, pi, power = self.stationary, self.transition, self.power
        moved = pi * power - power.subs(self.k, self.k + 1)
        slope = sp.Matrix(2, 2, lambda x, y: pi[x, y] / (m[y] + self.epsilon))
        joint = self.joint
        score = sum(slope[x, y] * (joint[x, y] - m[x] * m[y]) for x in (0, 1) for y in (0, 1)) / 2
        chi2 = sum(joint[x, y] ** 2 / (m[x] * m[y]) for x in (0, 1) for y in (0, 1)) - 1
        differences = {
            "the law is stationary": sum(abs(entry) for entry in sp.simplify(m.T * pi - m.T)),
            "the power formula at k = 0": sum(abs(entry) for entry in sp.simplify(power.subs(self.k, 0) - sp.eye(2))),
            "the power formula from k to k + 1": sum(abs(sp.simplify(entry)) for entry in moved),
            "the chain is reversible": sum(abs(entry) for entry in sp.simplify(joint - joint.T)),
            "the limit score": score - self.limit_score,
            "the chi-square information": chi2 - self.information,
            "the diagonal is (trace - 1)/2 at eps = 0": self.limit_score.subs({self.k: 0, self.epsilon: 0})
            - (pi.trace() - 1) / 2,
            "an edge is its information over 2 at eps = 0": (
                self.limit_score.subs(self.epsilon, 0) - self.information / 2
            ).subs(self.k, 1),
        }
        return {name: sp.simplify(difference) for name, difference in differences.items()}


def parent_wins(eigenvalue: sp.Rational, distances: tuple[int, ...]) -> bool:
    r"""Return whether the parent has the strictly largest limit score of its row.

    All scores of a row are the same positive constant times :math:`\lambda^{k+1}`, with k = 1 at the parent, k = 0 on
    the diagonal, and 0 for tokens of other trees. Hence:

    - :math:`0 < \lambda`: the diagonal has :math:`\lambda \ge \lambda^2`, the parent loses (at
      :math:`\lambda = 1` it ties).
    - :math:`\lambda = 0`: all scores are zero.
    - :math:`-1 < \lambda < 0`: even distances have negative scores, odd ones :math:`\lambda^{k+1} < \lambda^2`: the
      parent wins, whatever the row holds.
    - :math:`\lambda = -1`: it ties with every key at an odd distance beyond its own, and wins if there is none.

    Parameters
    ----------
    eigenvalue : sympy number
        The second eigenvalue, lambda, from -1 to 1.
    distances : tuple of int
        Distances of the keys of the row in the tree of the child, the parent (1) and the diagonal (0) left out.

    Returns
    -------
    bool
        Whether it has.

    Examples
    --------
    >>> parent_wins(sp.Rational(-1, 2), (2, 3)), parent_wins(sp.Rational(1, 2), (2, 3))
    (True, False)
    """
    if eigenvalue == -1:
        return not any(k % 2 for k in distances)
    return bool(-1 < eigenvalue < 0)
