"""What a command does when it is not told: numbers that its help shows."""

SAVE_EVERY = 1.0
"""Minutes between checkpoints of a run that is under way."""

TOLERANCE = 0.1
"""How far from the infinitely deep network the recommended one may be, in feature units."""
