"""Cite the paper and this software in BibTeX: CITATION.cff says what, and a test that this says the same."""

from causal_theory._version import __version__

PAPER = """@inproceedings{nichani2024transformers,
  title = {How Transformers Learn Causal Structure with Gradient Descent},
  author = {Nichani, Eshaan and Damian, Alex and Lee, Jason D.},
  booktitle = {International Conference on Machine Learning (ICML)},
  year = {2024},
  eprint = {2402.14735},
  archiveprefix = {arXiv},
}"""

SOFTWARE = f"""@software{{causal_theory,
  title = {{causal_theory: exact numerics for a theory of how transformers learn causal structure}},
  author = {{{{The causal_theory developers}}}},
  version = {{{__version__}}},
  license = {{BSD-3-Clause}},
}}"""
