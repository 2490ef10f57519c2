"""Hostile problem files: name, what stands in the file, and words of the one line that refuses it."""

from __future__ import annotations

CANARY = "PWNED"
DATA = '[data]\nsource = "two_moons"\nsamples = 60\n'
SMALL = DATA + "bandwidth = 0.5\n[domain]\nnodes = 5\n[network]\nlayers = 2\n"
TABLE = '[data]\nsource = "{}"\nlabel = "kind"\n'
MESH = DATA + '[domain]\nmesh = "{}"\n'
MIXTURE = '[[data.mixture]]\nlabel = "a"\nmean = [{}]\nstd = {}\n'
ESCAPE = r"\u001b]0;pwned\u0007\u001b[2J"


def option(line: str) -> str:
    return f"{SMALL}[solver]\n{line}\n"


def formula(text: str) -> str:
    return f"{SMALL}[physics]\npotential = {text!r}\n"


PROBLEMS: dict[str, tuple[str | bytes, str]] = {
    # PETSc
    "viewer runs the shell": (option(f'slab_ksp_view = ":x;touch {CANARY};.gz"'), "slab_ksp_view"),
    "viewer writes a file": (option(f'slab_ksp_view = "ascii:{CANARY}"'), "slab_ksp_view"),
    "binary viewer": (option(f'tao_view = "binary:{CANARY}"'), "tao_view"),
    "socket": (option('tao_view = "socket"'), "tao_view"),
    "draw": (option('tao_monitor = "draw"'), "tao_monitor"),
    "monitor writes a file": (option(f'tao_monitor = "ascii:{CANARY}"'), "tao_monitor"),
    "monitor appends": (option(f'tao_monitor = ":{CANARY}::append"'), "tao_monitor"),
    "python optimiser": (option('tao_type = "python"\ntao_python_type = "evil.py:Cls"'), "tao_type"),
    "shell optimiser": (option('tao_type = "shell"'), "tao_type"),
    "python preconditioner": (option('slab_pc_type = "python"'), "slab_pc_type"),
    "shell preconditioner": (option('slab_pc_type = "shell"'), "slab_pc_type"),
    "python inside": (option('slab_redundant_pc_type = "python"'), "slab_redundant_pc_type"),
    "python solver": (option('metric_ksp_type = "python"'), "metric_ksp_type"),
    "python monitor": (option('slab_ksp_monitor_python = "evil.run"'), "slab_ksp_monitor_python"),
    "matlab": (option('slab_pc_factor_mat_solver_type = "matlab"'), "slab_pc_factor_mat_solver_type"),
    "MUMPS writes its messages": (option("slab_mat_mumps_icntl_1 = 77"), "slab_mat_mumps_icntl_1"),
    "MUMPS out of core": (option("slab_mat_mumps_icntl_22 = 1"), "slab_mat_mumps_icntl_22"),
    "option with a space": (option('"tao_gatol -info" = 1'), "no option"),
    "option with a line break": (option('"tao_gatol\\n-info" = 1'), "no option"),
    "value with another option": (option('tao_max_it = "3 -info"'), "must be a number"),
    "option of the whole process": (option('options_file = "evil"'), "start with tao_"),
    "options in a table": (option("tao_type = {a = 1}"), "tao_type"),
    # formulas
    "import": (formula(f"__import__('os').system('touch {CANARY}')"), "allowed are"),
    "open": (formula(f"open('{CANARY}', 'w')"), "allowed are"),
    "attribute": (formula("x1.__class__"), "allowed are"),
    "subscript": (formula("x1[0]"), "allowed are"),
    "lambda": (formula("(lambda: 0)()"), "allowed are"),
    "comprehension": (formula("[x for x in (1,)]"), "allowed are"),
    "f-string": (formula('f"{x1}"'), "allowed are"),
    "walrus": (formula("(y := 1)"), "allowed are"),
    "statement": (formula("import os"), "not a formula"),
    "keyword": (formula("sin(x=x1)"), "allowed are"),
    "string": (formula('"a"*10'), "allowed are"),
    "deep": (formula("(" * 900 + "x1" + ")" * 900), "formula"),
    "long": (formula("x1+" * 5000 + "x1"), "too long"),
    "tower of powers": (formula("9**9**9**9"), "not finite"),
    "no number": (formula("sqrt(-1-x1**2)"), "not finite"),
    # TOML
    "no TOML": ("\0\1\2", "TOML"),
    "no text": (b"\xff\xfe\x00", "UTF-8"),
    "nested arrays": ("a = " + "[" * 5000 + "]" * 5000, "nested"),
    "nested tables": ("a = " + "{a=" * 3000 + "1" + "}" * 3000, "nested"),
    "key of many parts": ("a" + ".a" * 20000 + " = 1", "parts"),
    "number of many digits": (f"{DATA}seed = {'9' * 5000}\n", "TOML"),
    "too long a file": (DATA + "#" * 1_000_000, "too long"),
    "key twice": (DATA + 'source = "iris"\n', "TOML"),
    "key with an escape sequence": (DATA + f'"{ESCAPE}" = 1\n', "unknown key"),
    "section with an escape sequence": (DATA + f'["{ESCAPE}"]\na = 1\n', "unknown key"),
    "kind with an escape sequence": (SMALL + f'[loss]\nkind = "{ESCAPE}"\n', "loss.kind"),
    "value with a line break": (DATA + '[network]\nscheme = "a\\nb"\n', "network.scheme"),
    # numbers
    "infinite noise": (SMALL + "[physics]\nnoise = inf\n", "physics.noise"),
    "no noise": (SMALL + "[physics]\nnoise = nan\n", "physics.noise"),
    "noise of 400 digits": (SMALL + f"[physics]\nnoise = 1{'0' * 400}\n", "physics.noise"),
    "seed beyond 64 bits": (DATA + "seed = -1\n", "data.seed"),
    "layers for no memory": (DATA + "[network]\nlayers = 1000000000000\n", "memory"),
    "nodes for no memory": (DATA + "[domain]\nnodes = 1000000\n[network]\nlayers = 2\n", "memory"),
    "degree": (DATA + "[domain]\nnodes = 3\ndegree = 99\n", "domain.degree"),
    "degree in a mesh": (DATA + '[domain]\nmesh = "x.msh"\ndegree = 1000000\n', "domain.degree"),
    "neurons for no memory": (SMALL.replace("layers", "width = 1000000000000\nlayers"), "memory"),
    "mixture without spread": (MIXTURE.format("-1.0", "0.0"), "std"),
    "mixture at infinity": (MIXTURE.format("inf", "0.4"), "mean"),
    "mixture in 4 dimensions": (MIXTURE.format("1.0, 1.0, 1.0, 1.0", "0.4"), "mean"),
    # paths
    "device without end": (TABLE.format("/dev/zero"), "/dev/zero"),
    "device of random numbers": (TABLE.format("/dev/urandom"), "/dev/urandom"),
    "folder": (TABLE.format("."), "cannot be read"),
    "pipe": (TABLE.format("pipe"), "pipe"),
    "memory of the process": (TABLE.format("/proc/self/mem"), "cannot be read"),
    "passwords": (TABLE.format("/etc/passwd"), "/etc/passwd"),
    "command": (TABLE.format(f"|touch {CANARY}"), "no such file"),
    "address": (TABLE.format("http://localhost:1/x.csv"), "no such file"),
    "loop of links": (TABLE.format("loop"), "loop"),
    "name with NUL": (TABLE.format(r"a\u0000b"), "data.source"),
    "name too long": (TABLE.format("a" * 5000), "data.source"),
    "name with an escape sequence": (TABLE.format(ESCAPE), "data.source"),
    "table with escape sequences": (TABLE.format("escapes.csv"), "escapes.csv"),
    "label with an escape sequence": (TABLE.format("plants.csv").replace("kind", ESCAPE), "label"),
    "mesh of a device": (MESH.format("/dev/zero"), "/dev/zero"),
    "mesh of a pipe": (MESH.format("pipe"), "pipe"),
    "mesh of another kind": (MESH.format("plants.csv"), "plants.csv"),
    "mesh of noise": (MESH.format("noise.msh"), "noise.msh"),
    "mesh of entities": (MESH.format("bomb.vtu"), "bomb.vtu"),
    "mesh with NUL": (MESH.format(r"a\u0000.msh"), "no such file"),
}
