"""Draw the stored pictures anew, or every figure at its natural size to look at.

python -m tests.images                   overwrite the pictures in tests/images; look at what changed before committing
python -m tests.images --look FOLDER     write every figure as its users see it, in grey, and for a column
"""

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot
from PIL import Image

from causal_theory.plotting import figure_style, save_figure
from tests.images import FOLDER, PICTURES, save


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.images", description=__doc__.splitlines()[0])
    parser.add_argument("--look", type=Path, metavar="FOLDER", help="write figures of natural size here instead")
    look = parser.parse_args().look
    for name, picture in PICTURES.items():
        if look is None:
            save(name, FOLDER / f"{name}.png")
            continue
        look.mkdir(parents=True, exist_ok=True)
        figure = picture.call(None, picture.usual).get_figure(root=True)
        figure.savefig(look / f"{name}.png", dpi=100)
        with Image.open(look / f"{name}.png") as image:
            image.convert("L").save(look / f"{name}_grey.png")
        with figure_style("paper", width="column"):
            save_figure(picture.call(None, picture.usual), look / f"{name}_column.png")
        pyplot.close("all")


if __name__ == "__main__":
    main()
