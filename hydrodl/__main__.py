"""``python -m hydrodl`` is the ``hydrodl`` command."""

from hydrodl.application.cli import main

if __name__ == "__main__":
    main()
