"""What users might pick instead of hydrodl, each a program of its own that prints one JSON line."""
