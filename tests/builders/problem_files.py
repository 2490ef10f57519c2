"""Problem files, right and wrong ones, with words of what is said of the wrong ones."""

from __future__ import annotations

MOONS = '[data]\nsource = "two_moons"\n'

FULL = """
[[data.mixture]]
label = "a \\"b\\""
mean = [0.0, 1.5]
covariance = [[1.0, 0.25], [0.25, 0.5]]
[[data.mixture]]
label = "c"
mean = [1.0, 1e-7]
std = 0.5
weight = 2.0
[network]
times = [0.0, 0.5, 2.0]
[physics]
potential = ["x1**2", "sin(pi*x2)"]
energy = {kind = "focusing", weight = 0.3}
[[loss]]
kind = "density"
divergence = "kl"
layer = 1
[[loss.target]]
label = "c"
mean = [1.0, 2.0]
std = 0.5
[[loss]]
kind = "position"
targets = [[0.0, 1.0], [1.0, 0.0]]
[solver]
tao_type = "bntr"
tao_grtol = 1e-09
tao_monitor = ''
"""

# All of these follow MOONS, but for those that give a section a value
UNKNOWN = [
    ("[physics]\nnoize = 0.1", "unknown key physics.noize; did you mean physics.noise?"),
    ("[phisics]\nnoise = 0.1", "unknown key phisics; did you mean physics?"),
    ("[network]\nnoise = 0.1", "unknown key network.noise; did you mean data.noise?"),
    ("[network]\nsmoothness = 0.1", "unknown key network.smoothness; did you mean physics.smoothness?"),
    ("[loss]\ntargets = [[0.0]]", "unknown key loss.targets; did you mean loss.targets (of kind = 'position')?"),
    ('[physics.energy]\nkind = "power"\nweight = 1.0\nexponnent = 2.0', "did you mean physics.energy.exponent?"),
    ("[[loss]]\n[[loss]]\nwieght = 1.0", "unknown key loss[1].wieght; did you mean loss[1].weight?"),
]
WRONG = [
    ('[network]\nlayers = "many"', ["network.layers is 'many'", "whole number of at least 1"]),
    ("[network]\nlayers = 2.5", ["network.layers is 2.5", "whole number"]),
    ("[network]\nlayers = true", ["network.layers is true", "whole number"]),
    ("[network]\nlayers = 0", ["network.layers is 0", "at least 1"]),
    ("[network]\ndepth = 0.0", ["network.depth is 0.0", "positive"]),
    ("[network]\nscheme = 'leapfrog'", ["network.scheme is 'leapfrog'", "euler-box", "midpoint"]),
    ("[network]\ntimes = [0.0, 0.5, 0.5]", ["network", "times", "increase"]),
    ("[network]\ntimes = [0.0, 1.0]\nlayers = 3", ["network", "times excludes layers"]),
    ("[domain]\nnodes = 1", ["domain.nodes is 1", "at least 2"]),
    ("[domain]\nnodes = [5, 1]", ["domain.nodes is [5, 1]", "at least 2"]),
    ("[domain]\nlower = [0.0, 0.0]", ["domain", "lower and upper"]),
    ("[domain]\nlower = [0.0, 1.0]\nupper = [1.0, 0.5]", ["domain", "lower", "less than upper"]),
    ("[domain]\nperiodic = 1", ["domain.periodic is 1", "true or false"]),
    ("[domain]\nperiodic = true", ["domain", "periodic needs lower and upper"]),
    (
        "[domain]\nperiodic = true\nlower = [0.0]\nupper = [1.0]\n[network]\nscheme = 'strang'",
        ["network.scheme is 'strang'", "'euler-box' or 'midpoint' where domain.periodic"],
    ),
    (
        "[domain]\nperiodic = true\nlower = [0.0]\nupper = [1.0]\n[network]\nwidth = 3",
        ["domain.periodic excludes network.width"],
    ),
    ("[domain]\nmargin = -1", ["domain.margin is -1", "not negative"]),
    ("[physics]\nnoise = 0", ["physics.noise is 0", "positive"]),
    ("[physics]\nnoise = -0.1", ["physics.noise is -0.1", "positive"]),
    ("[physics]\nnoise = nan", ["physics.noise is nan", "positive"]),
    ("[physics]\nnoise = inf", ["physics.noise is inf", "positive"]),
    ("[physics]\ndecay = 0.0\nkinetic = 0.0", ["physics", "decay and kinetic"]),
    ("[physics]\nenergy = {kind = 'tension', weight = 1.0}", ["physics.energy.kind is 'tension'", "focusing"]),
    ("[physics]\nenergy = {kind = 'power'}", ["physics.energy.weight is missing"]),
    ("[physics]\nenergy = {kind = 'entropy', weight = 0.0}", ["physics.energy.weight", "not 0"]),
    ("[physics]\npotential = 'x1 +'", ["physics", "'x1 +'"]),
    ("[physics]\npotential = '__import__(\"os\")'", ["physics", "__import__"]),
    ("[loss]\nweight = 0.0", ["loss.weight is 0.0", "positive"]),
    ("[loss]\nkind = 'hinge'", ["loss.kind is 'hinge'", "classification", "position", "density"]),
    ("[loss]\nkind = 'position'", ["loss.targets is missing"]),
    ("[loss]\nkind = 'position'\ntargets = [[0.0, 'a']]", ["loss.targets", "list of points"]),
    ("[loss]\nlayer = 17", ["loss.layer is 17", "at most network.layers = 16"]),
    ("[loss]\nlayer = 0", ["loss.layer is 0", "at least 1"]),
    ("[loss]\nkind = 'density'\n[[loss.target]]\nmean = [0.0]", ["loss.target[0]", "std or covariance"]),
    ("[solver]\ntao_type = [1, 2]", ["solver.tao_type is [1, 2]", "string, number or boolean"]),
    ("physics = 3", ["physics is 3", "table"]),
]
# These are whole
WRONG_DATA = [
    ("", ["data is missing"]),
    ("[data]\nseed = 1", ["data", "source", "mixture"]),
    ("[data]\nsource = 'two_moon'", ["data", "'two_moon'", "did you mean the built-in 'two_moons'?"]),
    ("[data]\nsource = 'missing.csv'\nlabel = 'y'", ["data.source", "missing.csv", "two_moons"]),
    ("[data]\nsource = 'missing.csv'", ["data", "label is missing"]),
    ("[data]\nsource = 'iris'\nlabel = 'y'", ["data", "CSV tables only"]),
    (MOONS + "bandwidth = 0.0", ["data.bandwidth is 0.0", "positive"]),
    (MOONS + "dimensions = 4", ["data.dimensions is 4", "1, 2 or 3"]),
    ("[[data.mixture]]\nmean = [0.0]\nstd = -1.0", ["data.mixture[0].std is -1.0", "positive"]),
    ("[[data.mixture]]\nmean = [0.0, 1.0]\ncovariance = [[1.0]]", ["data.mixture[0]", "2 x 2"]),
    ("[[data.mixture]]\nmean=[0.0]\nstd=1.0\n[[data.mixture]]\nmean=[0.0, 1.0]\nstd=1.0", ["data", "same number"]),
]
