"""What is optimised: a flat vector of controls and the reduced functional of it.

The controls are the velocity at every node, or the coefficients of neurons, and beside them a trained readout if the
problem asks for one. The coefficients and the readout are few and belong to rank 0; every rank knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import scipy.linalg as sla

from hydrodl.common.arrays import Floats
from hydrodl.common.parallel import summed
from hydrodl.physics.losses import Classification
from hydrodl.problem.problem import Problem
from hydrodl.problem.solution import Controls
from hydrodl.training.control_spaces import FieldSpace, NeuronSpace, Space
from hydrodl.training.reduced_functional import ReducedFunctional
from hydrodl.training.trained_readout import TrainedReadout, broadcast
from hydrodl.training.whole_neurons import WholeNeuronSpace


class ControlledFunctional:
    """The reduced functional of flat local controls: value, gradient, Hessian products, inner product.

    It has the methods of ``ReducedFunctional``, so that the Taylor tests take either.

    Attributes:
        reduced: the functional of the velocity by nodes, at the readout last loaded; own: of stacks where the scheme
            has them.
    """

    def __init__(self, reduced: ReducedFunctional) -> None:
        self.reduced, self.own, self.problem = reduced, reduced.own, reduced.problem
        control = self.problem.control
        if control is None:
            self.space: Space = FieldSpace(self.own)
        else:
            self.space = WholeNeuronSpace(self.own, control) if control.whole else NeuronSpace(self.own, control)
        self._comm = self.problem.domain.comm
        self._number = next((j for j, loss in enumerate(self.problem.terms) if _trained(loss)), None)
        self._head: TrainedReadout | None = None
        if self._number is not None:
            loss, sweeps = self.problem.terms[self._number], reduced.sweeps
            assert isinstance(loss, Classification)
            self._loss = loss
            layer = sweeps.losses[self._number].layer
            self._head = TrainedReadout(loss, layer, self.problem.domain, sweeps.mass)
            self._loaded = self._head.flat(loss.readout)  # type: ignore[arg-type]
        self._head_size = self._head.size if self._head is not None and self._comm.rank == 0 else 0
        self.shape = (self.space.size + self._head_size,)

    @property
    def parts(self) -> Mapping[str, float]:
        """Parts of the objective last evaluated."""
        return {**self.own.parts, **self._extra}

    _extra: Mapping[str, float] = {}

    @property
    def products(self) -> int:
        """Hessian products so far."""
        return self.own.products

    def flat(self, start: Controls | None) -> Floats:
        """The local vector of controls; None: u = 0 (A = 0) and the problem's own readout.

        Raises:
            InputError: controls that do not fit the problem; raised on every rank.
        """
        x = np.zeros(self.shape)
        x[: self.space.size] = self.space.start(start)
        if self._head_size and self._head is not None:
            readout = (start and start.readout) or self._loss.readout
            x[self.space.size :] = self._head.flat(readout)  # type: ignore[arg-type]
        return x

    def controls(self, x: Floats) -> Controls:
        """The point that a local vector stands for; collective."""
        velocity = self.own.stacks.collect(self.space.velocity(x[: self.space.size])).copy()
        readout = self._head.readout(self._parameters(x)) if self._head else None
        return Controls(velocity, readout=readout, **self.space.found(x[: self.space.size]))

    def solved(self, point: Controls) -> Problem:
        """The problem with the readout of a point in the place of the one that training started from."""
        if point.readout is None or self._number is None:
            return self.problem
        terms = list(self.problem.terms)
        terms[self._number] = replace(self._loss, readout=point.readout)
        return replace(self.problem, losses=terms)

    def _parameters(self, x: Floats) -> Floats:
        assert self._head is not None
        return broadcast(self._comm, x[self.space.size :], self._head.size)

    def _load(self, x: Floats) -> Floats:
        """The velocity of x, after its readout has been put in place."""
        if self._head is not None and self._number is not None:
            parameters = self._parameters(x)
            if not np.array_equal(parameters, self._loaded):
                self.own.set_loss(self._number, replace(self._loss, readout=self._head.readout(parameters)))
                self._loaded = parameters
        return self.space.velocity(x[: self.space.size])

    def evaluate(self, x: Floats) -> float:
        """J(x).

        Raises:
            SolverError: a density is not finite.
        """
        value = self.own.evaluate(self._load(x))
        penalty = self.space.penalty(x[: self.space.size])
        self._extra = {} if self.problem.control is None else {"neuron decay": penalty}
        return value + penalty

    def gradient(self, x: Floats) -> Floats:
        """dJ/dx; the inner product moves to this point too."""
        return self._pulled_back(x, self.own.gradient(self._load(x)))

    def gradients(self, x: Floats) -> tuple[Floats, Floats]:
        """dJ/dx and dJ/drho(0), dual vectors (size,) and (C, owned): the data as controls too."""
        dual, data = self.own.gradients(self._load(x))
        return self._pulled_back(x, dual), data

    def _pulled_back(self, x: Floats, dual: Floats) -> Floats:
        """dJ/dx at the point x, from dJ/du; the inner product moves there."""
        own = x[: self.space.size]
        slope = self.space.at(own)
        self.space.refresh(slope)
        out = slope.pull_back(dual) + self.space.penalty_gradient(own)
        if self._head is None:
            return out
        density = self._read_density()
        self._head_metric = self._head.hessian(self._loaded, density, least=0.0)
        return np.concatenate([out, self._head.gradient(self._loaded, density)[: self._head_size]])

    def _read_density(self) -> Floats:
        assert self._head is not None
        return self.own.sweeps.density_at(self._head.layer)[:, : self.problem.domain.owned]

    def linearise(self, x: Floats) -> None:
        """Assemble every second derivative at x."""
        self.gradient(x)
        velocity = self._load(x)
        self.own.linearise(velocity)
        self._slope, self._dual = self.space.at(x[: self.space.size]), self.own.gradient(velocity)
        if self._head is not None:
            self._head.linearise(self._loaded, self._read_density())

    def hessian_product(self, direction: Floats) -> Floats:
        """J''(x) direction at the point of the last ``linearise``."""
        own, slope = direction[: self.space.size], self._slope
        change = slope.change(own)
        rest = self.space.penalty_product(own) + slope.curvature(self._dual, own)
        if self._head is None:
            return slope.pull_back(self.own.response(change, {}).dual) + rest
        parameters, layer = self._parameters(direction), self._head.layer
        response = self.own.response(change, {layer: self._head.pull(parameters)})
        head = self._head.matrix @ parameters + self._head.push(response.layers[layer])
        return np.concatenate([slope.pull_back(response.dual) + rest, head[: self._head_size]])

    def rough(self, x: Floats) -> Floats:
        """A dual vector at x with a bit of everything in it, the same for any number of ranks."""
        layers, components, owned = self.reduced.shape
        domain = self.problem.domain
        phase = 1e3 * domain.coordinates[:owned] @ np.sqrt([2.0, 3.0, 5.0])[: domain.dimension]
        shift = np.arange(layers)[:, None, None] + np.sqrt(7.0) * np.arange(components)[:, None]
        dual = self.space.at(x[: self.space.size]).pull_back(self.own.stacks.spread(np.sin(phase + shift)))
        return np.pad(dual, (0, self.shape[0] - len(dual)))

    def precondition(self, dual: Floats) -> Floats:
        """P^-1 times a dual vector, P at the point of the last gradient."""
        out = self.space.precondition(dual[: self.space.size])
        return np.concatenate([out, self._solve_head(dual)]) if self._head_size else out

    def _solve_head(self, dual: Floats) -> Floats:
        return sla.solve(self._head_metric, dual[self.space.size :], assume_a="pos")

    def metric_product(self, x: Floats) -> Floats:
        """P times a direction."""
        out = self.space.metric_product(x[: self.space.size])
        return np.concatenate([out, self._head_metric @ x[self.space.size :]]) if self._head_size else out

    def norm(self, dual: Floats, rough: bool = False) -> float:
        """(g, P^-1 g)^(1/2) over all ranks; rough: to a percent, which is sooner had."""
        own = self.space.square(dual[: self.space.size], rough)
        if self._head_size:
            own += float(dual[self.space.size :] @ self._solve_head(dual))
        square = summed(self._comm, own)
        return float(np.sqrt(square)) if square >= 0 else np.inf


def _trained(loss: object) -> bool:
    return isinstance(loss, Classification) and loss.trained
