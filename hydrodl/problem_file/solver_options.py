"""Which of PETSc's options a problem file may set, and "slab_share", which is our own.

PETSc's options can load code (types "python" and "shell"), run the shell and overwrite files (viewers and monitors with
a file name), so a file, which may be a stranger's, sets the options that stand here and no others. Who calls ``train``
from Python may set any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from petsc4py import PETSc

from hydrodl.common.text import shown
from hydrodl.discretisation.slab_layouts import SHARES
from hydrodl.training.minimisation import PREFIXES
from hydrodl.training.tao_types import TAO_TYPES

_INNER = re.compile(r"(?:sub_|redundant_|telescope_)*")
"""Where the solvers inside a preconditioner have their options."""


_NUMBERS = {  # one number, several with commas, or true and false
    "tao": """gatol grtol gttol steptol fmin max_it max_funcs trust0 ls_ftol ls_gtol ls_rtol ls_stepmin ls_stepmax
        ls_max_funcs bnk_epsilon bnk_min_radius bnk_max_radius bnk_as_tol bnk_as_step bnk_max_cg_its bnk_theta
        bnk_eta1 bnk_eta2 bnk_eta3 bnk_eta4 bnk_nu1 bnk_nu2 bnk_nu3 bnk_nu4 bnk_mu1 bnk_mu2
        bnk_alpha1 bnk_alpha2 bnk_alpha3 bnk_alpha4 bnk_alpha5 bnk_gamma1 bnk_gamma2 bnk_gamma3 bnk_gamma4
        bnk_omega1 bnk_omega2 bnk_omega3 bnk_omega4 bnk_omega5 mat_lmvm_hist_size mat_lmvm_num_vecs""",
    "ksp": """rtol atol divtol max_it min_it gmres_restart gmres_modifiedgramschmidt gcr_restart lgmres_augment
        bcgsl_ell richardson_scale cg_single_reduction cg_radius chebyshev_eigenvalues chebyshev_esteig
        chebyshev_esteig_steps initial_guess_nonzero error_if_not_converged""",
    "pc": """factor_levels factor_fill factor_zeropivot factor_shift_amount factor_nonzeros_along_diagonal
        factor_reuse_ordering factor_reuse_fill bjacobi_blocks bjacobi_local_blocks asm_overlap asm_blocks gasm_overlap
        jacobi_abs sor_omega sor_its sor_lits sor_symmetric redundant_number telescope_reduction_factor
        hypre_boomeramg_max_iter hypre_boomeramg_tol hypre_boomeramg_max_levels
        hypre_boomeramg_strong_threshold hypre_boomeramg_agg_nl hypre_boomeramg_P_max hypre_boomeramg_truncfactor
        hypre_boomeramg_grid_sweeps_all""",
    # no ICNTL 1 to 3 and 22: they write files
    "mat": " ".join(f"mumps_icntl_{n}" for n in (4, 6, 7, 8, 10, 12, 13, 14, 23, 24, 25, 28, 29, 35, 36, 38, 48, 58))
    + " mumps_cntl_1 mumps_cntl_2 mumps_cntl_3 mumps_cntl_4 mumps_cntl_5 mumps_cntl_7",
}


_WORDS = {
    "tao": "bnk_init_type bnk_update_type bnk_as_type bncg_type mat_lmvm_scale_type",
    "ksp": "norm_type pc_side gmres_cgs_refinement_type",
    "pc": """factor_shift_type jacobi_type asm_type asm_local_type
        hypre_boomeramg_coarsen_type hypre_boomeramg_interp_type hypre_boomeramg_cycle_type
        hypre_boomeramg_relax_type_all""",
    "mat": "",
}


_SHOWN = {  # on standard output
    "tao": "view monitor monitor_short converged_reason",
    "ksp": "view monitor monitor_short monitor_true_residual monitor_singular_value converged_reason",
    "pc": "view",
    "mat": "",
}


_TYPES = {  # PETSc's own names
    "tao": {"ls_type": PETSc.TAOLineSearch.Type},
    "ksp": {"type": PETSc.KSP.Type},
    "pc": {
        "type": PETSc.PC.Type,
        "factor_mat_solver_type": PETSc.Mat.SolverType,
        "factor_mat_ordering_type": PETSc.Mat.OrderingType,
    },
    "mat": {},
}


_CODE = {"python", "shell", "matlab"}  # types that run what they are given


_OTHER = {  # types that end the process, or never end, with operators and problems like ours
    *("pipelcg", "eisenstat", "gamg", "hmg", "mg")
}


_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"


_Rule = tuple[str, Callable[[str], bool]]


def _matches(words: str, pattern: str) -> _Rule:
    compiled = re.compile(pattern, re.IGNORECASE)
    return words, lambda value: compiled.fullmatch(value) is not None


def _kind(names: Iterable[str]) -> _Rule:
    known = sorted(set(names) - _CODE - _OTHER)
    return f"one of {', '.join(known)}", known.__contains__


def _rules(solver: str) -> dict[str, _Rule]:
    """What the options of a solver may be, by name."""
    number = _matches("a number, or several with commas", rf"{_NUMBER}(,{_NUMBER})*|true|false")
    word = _matches("a word", r"[a-z][\w+-]{0,40}")
    output = _matches("'' or 'ascii::ascii_info_detail' (standard output)", r"|ascii(::ascii_\w+)?")
    kinds = {
        name: _kind(value for key, value in vars(types).items() if not key.startswith("_"))
        for name, types in _TYPES[solver].items()
    }
    if solver == "tao":
        kinds["type"] = _kind(TAO_TYPES)
    listed = ((_NUMBERS, number), (_WORDS, word), (_SHOWN, output))
    return kinds | {name: rule for names, rule in listed for name in names[solver].split()}


_RULES: Mapping[str, Mapping[str, _Rule]] = {solver: _rules(solver) for solver in _NUMBERS}


def wrong_option(key: str, value: Any) -> str | None:
    """What is wrong with an option of a problem file and its value, None if nothing is."""
    if key == "slab_share":
        return None if value in SHARES else f"{key} is {shown(value)}, must be {' or '.join(SHARES)}"
    prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)
    if prefix is None:
        return f"unknown option {shown(key)}; PETSc options here start with {', '.join(PREFIXES)}"
    rule = _rule(prefix, key.removeprefix(prefix))
    if rule is None:
        known = [f"{prefix}{solver}_{name}" for solver in ("ksp", "pc", "mat") for name in _RULES[solver]]
        known += [f"tao_{name}" for name in _RULES["tao"]] if prefix == "tao_" else []
        near = get_close_matches(key, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{shown(key)} is no option that a file may set{hint} (Python's train(options=...) takes any)"
    allowed, fits = rule
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return None if fits(text) else f"{key} is {shown(value)}, must be {allowed}"


def _rule(prefix: str, name: str) -> _Rule | None:
    if prefix == "tao_" and name in _RULES["tao"]:
        return _RULES["tao"][name]
    solver, _, option = name[_INNER.match(name).end() :].partition("_")  # type: ignore[union-attr]
    return _RULES.get(solver, {}).get(option) if solver != "tao" else None
