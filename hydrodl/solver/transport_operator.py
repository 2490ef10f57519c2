"""The transport operators L(u_k) as matrices, one slab at a time: what the sweeps factor and what chains walk on."""

from __future__ import annotations

from hydrodl.common.arrays import Floats
from hydrodl.discretisation.slab_action import SlabAction
from hydrodl.mesh.ghosts import Halo
from hydrodl.physics.problem import Problem
from hydrodl.solver.mass_matrix import Mass
from hydrodl.solver.operator_family import OperatorFamily
from hydrodl.solver.solver_choice import solver_defaults


class Generator:
    """Entries of <L(u) w, v> and of M over owned rows in one sparsity pattern; column w, row v.

    Attributes:
        pattern: of the owned rows, columns numbered locally; columns: global number of each local column.
        mass: products and solves with M; mass_values: its entries in the pattern; halo: for stacks of fields;
        action: the forms of a slab.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.halo = problem, Halo(problem.domain)
        action = self.action = SlabAction(problem.domain, problem.lagrangian)
        massive = action.nonzeros(action.mass, reduce=True)
        self.pattern = action.pattern(action.nonzeros(action.generator, reduce=True) | massive, reduce=True)
        self.columns = action.column_owners()
        self.mass_values = self.pattern.values(action.assemble(action.mass, reduce=True)).copy()
        own = action.pattern(massive, reduce=True)
        values = own.values(action.assemble(action.mass, reduce=True)).copy()
        self.mass = Mass(problem.domain, own, self.columns, values)

    def values(self, velocity: Floats) -> Floats:
        """Entries of L(u) for u (d, owned); collective."""
        local = self.halo.stack(len(velocity))
        local[:, : self.halo.owned] = velocity
        self.halo.update(local)
        self.action.set_slab(local)
        return self.entries().copy()

    def entries(self) -> Floats:
        """Entries of L at the velocity loaded in the action, valid until the next call; collective."""
        return self.action.entries(self.action.generator, self.pattern)

    def family(self, width: int) -> OperatorFamily:
        """Room for one operator of this pattern, to be solved with ``width`` right-hand sides at once."""
        settings = solver_defaults(self.problem.domain)
        return OperatorFamily(
            self.problem.domain, self.pattern, self.columns, 1, width, options=settings, name="slab operator"
        )
