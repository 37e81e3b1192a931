"""``python -m verification``."""

from verification.cli import main

if __name__ == "__main__":
    main()
