"""Numbers out of range, names that are none and awkward TOML: --set assignments or files, and words of the refusal."""

from __future__ import annotations

HUGE, BEYOND_64 = "1" + "0" * 400, str(2**64)
GAUSSIAN = "data.mixture.0"

# All on top of two Gaussians in the plane, 5 nodes a side, 2 layers
ASSIGNMENTS: dict[str, list[str]] = {
    "physics.noise": ["0", "-0.0", "1e-300", "1e-17", "1e14", "1e308", "1e309", "-1", "inf", "nan", HUGE, BEYOND_64],
    "physics.decay": ["-1e-9", "1e308", HUGE],
    "physics.smoothness": ["1e4", "-1", "1e200"],
    "physics.kinetic": ["1e7", "-inf"],
    "physics.energy": ['{kind = "entropy", weight = 1e-13}', '{kind = "power", weight = 1e7}'],
    "loss.weight": ["1e13", "1e-13", "0", HUGE],
    "loss.layer": ["0", "3", BEYOND_64, "1.0"],
    "network.layers": ["0", "-1", "1e3", BEYOND_64, HUGE, "2.0", "true"],
    "network.depth": ["1e-7", "1e7", "1e-300"],
    "network.width": ["0", BEYOND_64],
    "network.times": ["[0.0]", "[0.0, 1e-300, 1.0]", "[0.0, 1e300]", "[1.0, 2.0]", "[]", "[0.0, nan]", "0.0"],
    "domain.nodes": ["1", "1e160", BEYOND_64, "[3, 3, 3, 3]", "[3, -3]", "[]", "[[3, 3]]"],
    "domain.margin": ["-1", "1e7", "[1.0, -1.0]", "nan"],
    "domain.degree": ["0", "9", "12", "1.5"],
    "data.bandwidth": ["0", "1e308", "1e-7", "1e4"],
    "data.seed": ["-1", BEYOND_64, "0.5"],
    "data.samples": ["1", "-5", HUGE, "100000000000"],
    "data.test_samples": ["-1", "100000000000"],
    f"{GAUSSIAN}.mean": ["[1e7, 0.0]", "[nan, 0.0]", "[]", "[0.0, 0.0, 0.0, 0.0]", "[true, 0.0]"],
    f"{GAUSSIAN}.std": ["0", "1e-7", "1e7", "[0.1, -0.1]", "[0.1]", "[]"],
    f"{GAUSSIAN}.weight": ["0", "1e13", "1e-13"],
    f"{GAUSSIAN}.label": ["7", "[]"],
}
NAMES = {  # of tables and meshes
    "NUL": r"a\u0000b.csv",
    "too long": "a" * 300 + ".csv",
    "too deep": "a/" * 3000 + "b.csv",
    "loop of links": "loop/b.csv",
    "nothing": "",
    "only a space": " ",
    "a folder": ".",
}
WHOLE: dict[str, tuple[str, str]] = {
    "surrogate": ('[data]\nsource = "\\ud800.csv"\nlabel = "y"\n', "TOML"),
    "arrays a thousand deep": ("[data]\nsource = " + "[" * 1000 + "]" * 1000 + "\n", ""),
    "tables a thousand deep": ("data = " + "{a = " * 1000 + "1" + "}" * 1000 + "\n", ""),
    "keys a thousand deep": ("[data]\n" + "a." * 999 + "a = 1\n", "unknown key"),
    "a section as number": ("data = 1\n", "data is 1"),
    "a section as list": ("[[data]]\nsource = 'iris'\n", "data"),
    "a list of a million": ("[data]\nsource = 'iris'\n[network]\ntimes = [" + "0.0," * 200_000 + "]\n", "times"),
    "a date": ("[data]\nsource = 1979-05-27T07:32:00Z\n", "data.source"),
    "hexadecimal beyond 64 bits": (f"[data]\nsource = 'iris'\nseed = 0x{'f' * 40}\n", "data.seed"),
    "nothing": ("", "data is missing"),
    "a byte order mark": ("\ufeff[data]\nsource = 'iris'\n", ""),
    "carriage returns": ("[data]\rsource = 'iris'\r", "TOML"),
    "label of a thousand lines": ("[data]\nsource = 't.csv'\nlabel = '''" + "\n" * 1000 + "'''\n", ""),
    "times of snapshots alike": (
        "[[data.snapshots]]\ntime = 1e300\nmixture = [{mean = [0.0], std = 1.0}]\n" * 2,
        "data.snapshots",
    ),
}


def count() -> int:
    return sum(map(len, ASSIGNMENTS.values())) + len(NAMES) + len(WHOLE)
