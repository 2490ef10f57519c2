"""What every room uses: errors, checks of input, array types, ranks, PETSc options."""
