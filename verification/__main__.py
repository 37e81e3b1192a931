"""``python -m verification``."""

from verification.cli import app

if __name__ == "__main__":
    app(prog_name="python -m verification")
