"""Correct work in other forms: each must get full marks for what it hands in.

The catalogue keeps its entries in the order in which they register, and every third is judged on another network, too:
whoever needs one of these modules imports it from here.
"""

# isort: off
from faults import (  # noqa: F401
    variants_split,
    variants_scores,
    variants_network,
    variants_records,
    variants_inside,
    variants_handed_in,
)
# isort: on
