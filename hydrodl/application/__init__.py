"""The hydrodl command: runs as directories, analysis, export, progress."""
