"""The network as arrays that reproduce it to rounding: what ONNX files and other programs are made from."""

from __future__ import annotations

from hydrodl.network.network import Network
from hydrodl.network.residual_network import ResidualNetwork, neuron_form, relu_form
from hydrodl.network.table_network import TableNetwork, table_form


def exact_form(network: Network) -> ResidualNetwork | TableNetwork:
    """The form of a network that other programs can run, equal to it to rounding. Collective.

    Raises:
        InputError: it has none.

    Example:
        >>> form = hd.exact_form(network)
        >>> x = network.into(samples.features)
        >>> bool(np.allclose(form.push(x)[-1], network.push(x)[-1]))
        True
    """
    if network.solution.coefficients is not None:
        return neuron_form(network)
    if network.domain.dimension == 1:
        return relu_form(network)
    return table_form(network)
