"""Joint laws and mutual informations of tokens: of all pairs, and between a token and a set of earlier ones."""

from causal_theory.information.pairs import MEASURES, Measure, pairwise_information, pairwise_joint
from causal_theory.information.subsets import (
    SUBSET_MEASURES,
    SubsetInformations,
    SubsetMeasure,
    best_subset,
    subset_information,
    subset_informations,
)

__all__ = [
    "MEASURES",
    "SUBSET_MEASURES",
    "Measure",
    "SubsetInformations",
    "SubsetMeasure",
    "best_subset",
    "pairwise_information",
    "pairwise_joint",
    "subset_information",
    "subset_informations",
]
