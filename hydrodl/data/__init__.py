"""From tables and formulas to class densities."""
