"""Write the library of certificates: ``python -m verification.certificates.build`` (about half a minute)."""

from causal_theory import certify_edge_scores
from verification.certificates.instances import INSTANCES
from verification.certificates.library import Entry, write_library


def build() -> tuple[Entry, ...]:
    """Certify all instances and write them; the file depends on nothing but ``instances.toml``."""
    made = ((one.name, one.family, certify_edge_scores(one.graph, one.transition, one.epsilon)) for one in INSTANCES)
    return write_library(made)


if __name__ == "__main__":
    for entry in build():
        why = f" violates {', '.join(entry.violates)}" if entry.violates else ""
        print(f"{entry.name}: {'holds' if entry.holds else 'fails'}{why}")
