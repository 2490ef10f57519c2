"""Backward error analysis: the modified system that the numbers solve."""
