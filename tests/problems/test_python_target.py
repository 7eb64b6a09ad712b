"""Targets of the user's own: their forms, what they may return, and what is said when they fail."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from nasopt.cache import Cache
from nasopt.errors import DivergedError, EvaluationError, NasoptError, PrunedError, UsageError
from nasopt.problems.opening import open_problem
from nasopt.problems.python_target import PythonProblem
from nasopt.spec import shipped
from nasopt.spec.study import StudySpec, load_spec
from nasopt.testing import ProblemSuite

GOOD = """\
from optuna.distributions import FloatDistribution, IntDistribution

class Target:
    distributions = {"x": FloatDistribution(0, 1), "n": IntDistribution(1, 4)}

    def evaluate(self, params):
        return {"error": params["x"] ** 2, "size": params["n"]}
"""
OBJECTIVES = [{"metric": "error", "direction": "minimize"}, {"metric": "size", "direction": "minimize"}]
POINT = {"x": 0.5, "n": 2}


@pytest.fixture(autouse=True)
def own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working folder; the import path and the modules of before come back."""
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("mine"):
            del sys.modules[name]


def problem(source: str = GOOD, target: str = "mine:Target", **more: Any) -> PythonProblem:
    Path("mine.py").write_text(textwrap.dedent(source))
    sys.modules.pop("mine", None)
    content = {"study": {"name": "t"}, "problem": {"kind": "python", "target": target}, "objectives": OBJECTIVES}
    return PythonProblem(StudySpec.model_validate(content | more), Cache(Path("cache")))


def returning(expression: str) -> PythonProblem:
    return problem(GOOD.replace('{"error": params["x"] ** 2, "size": params["n"]}', expression))


class TestShippedTarget(ProblemSuite):
    @pytest.fixture(scope="class")
    def problem(self, tmp_path_factory: pytest.TempPathFactory) -> PythonProblem:
        spec = load_spec(shipped.folder("studies") / "python_target.yaml")
        return PythonProblem(spec, Cache(tmp_path_factory.mktemp("one")))


def test_figures_are_reported_and_the_clock_charged() -> None:
    outcome = problem().evaluate(POINT)
    assert {n: (c.value, c.provenance) for n, c in outcome.costs.items()} == {
        "error": (0.25, "reported"),
        "size": (2.0, "reported"),
    }
    assert outcome.seconds["evaluate"] > 0


@pytest.mark.parametrize(
    ("addition", "target"),
    [
        ("made = Target()", "mine:made"),
        ("def make():\n    return Target()", "mine:make"),
        ("class Home:\n    inner = Target", "mine:Home.inner"),
        ("from types import SimpleNamespace\n"
         "made = SimpleNamespace(distributions=Target.distributions, evaluate=Target().evaluate)", "mine:made"),
    ],
)  # fmt: skip
def test_forms_of_a_target(addition: str, target: str) -> None:
    assert problem(f"{GOOD}\n{addition}\n", target).evaluate(POINT).value("size") == 2


def test_an_outcome_keeps_its_provenance_and_may_not_change_it() -> None:
    made = """
        from nasopt.records import Cost, Outcome
        def figures(x, origin):
            cost = Cost(value=x, ci95=(x, x), provenance=origin)
            return Outcome(quality={}, costs={"error": cost, "size": cost}, seconds={"train": 9.0})
    """
    source = GOOD.replace('{"error"', 'figures(params["x"], "measured" if params["n"] < 3 else "predicted"); {"error"')
    found = problem(textwrap.dedent(made) + source)
    assert found.evaluate(POINT).costs["error"].provenance == "measured"
    assert found.evaluate(POINT).seconds == {"train": 9.0}
    with pytest.raises(EvaluationError, match="error as predicted and earlier as measured"):
        found.evaluate({"x": 0.5, "n": 3})


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (GOOD, "absent:Target", "no module named 'absent' in .*nor among what is installed"),
        (GOOD, "mine.deeper:Target", r"no module named 'mine\.deeper'"),
        (GOOD, "mine:Targt", "has no 'Targt'; did you mean 'Target'"),
        ("import no_such_package", "mine:Target", r"importing mine failed: .*mine\.py:1: ModuleNotFoundError"),
        ("x = 1 +", "mine:Target", r"mine\.py:1: SyntaxError"),
        ("1 / 0", "mine:Target", r"mine\.py:1: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "mine:Target", "importing mine failed: .*SystemExit: 3"),
        ("Target = 7", "mine:Target", r"mine:Target is 7 \(int\) without a method evaluate"),
        ("class Target:\n  distributions = {}", "mine:Target", "without a method evaluate"),
        (GOOD.replace("distributions =", "space ="), "mine:Target", r"mine:Target\.distributions is nothing"),
        (GOOD.replace("IntDistribution(1, 4)", "(1, 4)"), "mine:Target", r"'n' is \(1, 4\) \(tuple\)"),
        (GOOD.replace('{"x": Float', '{3: Float'), "mine:Target", "distributions: 3 is .*expected a name"),
        ("def Target(trial):\n  return 1.0", "mine:Target", "takes trial: nasopt draws the points"),
        ("def Target(a, b):\n  return 1.0", "mine:Target", "takes a, b; expected"),
        ("class Target:\n  def __init__(self):\n    raise OSError('no')", "mine:Target", r"mine\.py:3: OSError: no"),
    ],
)  # fmt: skip
def test_a_target_that_is_none(source: str, target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        problem(source, target)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("None", r"mine:Target returned nothing; expected a mapping: \{'error': \.\.\., 'size': \.\.\.\}"),
        ("(0.1, 2)", r"returned \(0\.1, 2\) \(tuple\); expected a mapping"),
        ("0.5", r"returned 0\.5 \(float\)"),
        ('{"error": 0.1}', "returned no size; it returned error"),
        ("{}", "returned no error; it returned nothing"),
        ('{"error": float("nan"), "size": 1}', "returned nan for error; expected a finite number"),
        ('{"error": 1, "size": -float("inf")}', "returned -inf for size"),
        ('{"error": "low", "size": 1}', r"returned 'low' \(str\) for error; expected a number"),
        ('{"error": True, "size": 1}', r"returned True \(bool\) for error"),
        ('{"error": None, "size": 1}', "returned nothing for error"),
        ('{"error": [1, 2], "size": 1}', r"returned \[1, 2\] \(list\) for error"),
        ('{"error": 1j, "size": 1}', "for error; expected a number"),
        ('params["absent"]', r"raised .*mine\.py:7: KeyError: 'absent'"),
        ("exit(4)", "raised .*SystemExit: 4"),
    ],
)
def test_an_evaluation_that_fails(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as caught:
        returning(expression).evaluate(POINT)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "number", ["numpy.float32(0.5)", "numpy.array(0.5)", "fractions.Fraction(1, 2)", "torch.tensor(0.5)"]
)
def test_numbers_of_other_libraries(number: str) -> None:
    module = number.partition(".")[0]
    found = returning(f'{{"error": __import__("{module}").{number.partition(".")[2]}, "size": 1}}')
    assert found.evaluate(POINT).value("error") == 0.5


HOSTILE = """\
class Own(BaseException):
    def __str__(self):
        raise RuntimeError("no message")

class Hostile:
    def __float__(self):
        raise {error}
    def __repr__(self):
        raise Own()
    __str__ = __repr__

class Figures(dict):
    def items(self):
        raise {error}

"""


@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "GeneratorExit", "Own()", "StopIteration", "MemoryError", "KeyError(Own)"]
)
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise {error}", r"mine:Target raised .*mine\.py:\d+: \w+"),
        (
            "return {{'error': Hostile(), 'size': 1}}",
            "returned an object of Hostile, whose repr.. fails for error; expected",
        ),
        ("return Hostile()", "returned an object of Hostile, whose repr.. fails; expected a mapping"),
        ("return Figures(error=1)", "returned .*Figures.*, which cannot be read: .*mine.py"),
        ("return {{Hostile(): 1}}", "returned .*, which cannot be read: .*mine.py"),
    ],
)
def test_whatever_a_target_raises_is_its_own_trial(statement: str, message: str, error: str) -> None:
    body = GOOD.replace('return {"error": params["x"] ** 2, "size": params["n"]}', statement.format(error=error))
    with pytest.raises(EvaluationError, match=message) as caught:
        problem(HOSTILE.format(error=error) + body).evaluate(POINT)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "place",
    [
        ("class Target:", "raise Own()\n\nclass Target:", "importing mine failed: .*Own: an error whose message"),
        (
            "    distributions =",
            "    def __init__(self): raise Own()\n    distributions =",
            "calling mine:Target failed",
        ),
        ("    def evaluate(", "    @property\n    def evaluate(", "reading mine:Target.evaluate failed"),
    ],
)
def test_whatever_stops_a_target_from_being_made_is_one_line(place: tuple[str, str, str]) -> None:
    old, new, message = place
    with pytest.raises(UsageError, match=message) as caught:
        problem(HOSTILE.format(error="Own()") + GOOD.replace(old, new))
    assert len(str(caught.value).splitlines()) == 1


def test_interrupts_are_no_trials() -> None:
    body = GOOD.replace("        return {", "        raise KeyboardInterrupt\n        return {")
    with pytest.raises(KeyboardInterrupt):
        problem(body).evaluate(POINT)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1j", r"returned 1j \(complex\) for error"),
        ("'0.5'", r"returned '0\.5' \(str\)"),
        ("b'1'", r"\(bytes\)"),
        ("None", "returned nothing for error"),
        ("True", r"returned True \(bool\)"),
        ("__import__('numpy').bool_(True)", r"\(bool"),
        ("__import__('torch').tensor(True)", r"returned tensor\(True\)"),
        ("__import__('torch').zeros(3)", r"returned tensor\(\[0\., 0\., 0\.\]\)"),
        ("__import__('numpy').zeros((2, 2))", r"\(ndarray\) for error"),
        ("float('nan')", "returned nan for error; expected a finite"),
        ("__import__('decimal').Decimal('1e999')", "returned inf for error"),
        ("10**400", r"returned a whole number of 1,329 bits \(int\)"),
        ("'x' * 10**7", r"returned 'xxx.*\.\.\.x*' \(str\)|returned 'x.*\.\.\. ?\(str\)"),
        ("[1] * 10**7", r"returned \[1, 1.*\.\.\.\] \(list\)"),
    ],
)
def test_figures_that_are_no_numbers(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as caught:
        returning(f'{{"error": {expression}, "size": 1}}').evaluate(POINT)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("Outcome(quality={'error': 1.0, 'size': object()}, costs={})", "expected a number"),
        ("Outcome(quality={'error': 1.0, 'size': 1.0}, costs={}, details={'a': {1, 2}})", "set is not JSON"),
        ("Outcome(quality={'error': 1.0, 'size': 1.0}, costs={'x': 3})", "cannot be read"),
        ("Outcome(quality=None, costs={})", "cannot be read"),
        ("Outcome(quality={'error': 1.0, 'size': 1.0}, costs={}, files={'w': 'absent.bin'})", "absent.bin|file w"),
    ],
)
def test_an_outcome_that_cannot_be_stored(outcome: str, message: str) -> None:
    source = "from nasopt.records import Outcome\n" + GOOD.replace(
        'return {"error": params["x"] ** 2, "size": params["n"]}', f"return {outcome}"
    )
    with pytest.raises(EvaluationError, match=message) as caught:
        problem(source).evaluate(POINT)
    assert len(str(caught.value).splitlines()) == 1


def test_errors_with_a_meaning_keep_it() -> None:
    assert_raises = [("optuna", "TrialPruned", PrunedError), ("nasopt.errors", "DivergedError", DivergedError)]
    for module, name, kind in assert_raises:
        source = GOOD.replace(
            "        return {", f"        from {module} import {name}\n        raise {name}('why')\n        return {{"
        )
        with pytest.raises(kind, match="why"):
            problem(source).evaluate(POINT)


def test_inspection_gives_bounds_or_is_left_out() -> None:
    assert problem().inspect(POINT).bounds == {}
    told = GOOD + '\n    def inspect(self, params):\n        return {"size": params["n"], "error": (0, 1)}\n'
    assert problem(told).inspect(POINT).bounds == {"size": (2.0, 2.0), "error": (0.0, 1.0)}
    for wrong, message in (('{"size": "x"}', "gave 'x'"), ("3", r"gave 3 \(int\)"), ("1 / 0", "ZeroDivisionError")):
        with pytest.raises(NasoptError, match=message):
            problem(GOOD + f"\n    def inspect(self, params):\n        return {wrong}\n").inspect(POINT)


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        ("CategoricalDistribution([False, 0, 'auto'])", "x has the choices False and 0, which are equal to Python"),
        ("CategoricalDistribution([2, 'a', 2.0])", "x has the choices 2 and 2.0"),
        ("CategoricalDistribution([float('nan'), float('nan')])", "x has the choices nan and nan"),
        ("IntDistribution(2**53, 2**53 + 4)", "x runs from 9007199254740992 to 9007199254740996; whole"),
        ("FloatDistribution(1e16, 1e16 + 16, step=0.5)", "x has the step 0.5, too small"),
    ],
)
def test_values_that_a_database_cannot_tell_apart(distribution: str, message: str) -> None:
    problem(f"from optuna.distributions import *\n{GOOD.replace('FloatDistribution(0, 1)', distribution)}")
    content = {"study": {"name": "t"}, "problem": {"kind": "python", "target": "mine:Target"}, "objectives": OBJECTIVES}
    with pytest.raises(UsageError, match=f"mine:Target.distributions: {message}"):
        open_problem(StudySpec.model_validate(content), Cache(Path("cache")))


def test_a_module_of_the_same_name_elsewhere_is_not_taken(tmp_path: Path) -> None:
    for place, top in (("one", 1), ("two", 2)):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "mine.py").write_text(GOOD.replace("FloatDistribution(0, 1)", f"FloatDistribution(0, {top})"))
        text = "study: {name: t}\nproblem: {kind: python, target: 'mine:Target'}\n"
        (folder / "s.yaml").write_text(text + "objectives: [{metric: error, direction: minimize}]\n")
    for place, top in (("one", 1), ("two", 2), ("one", 1)):
        found = PythonProblem(load_spec(tmp_path / place / "s.yaml"), Cache(tmp_path / "cache"))
        assert found.distributions["x"] == FloatDistribution(0, top)


def test_a_target_may_change_its_parameters() -> None:
    params = dict(POINT)
    problem(GOOD.replace("        return", "        params['x'] = 0.0\n        return")).evaluate(params)
    assert params == POINT


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(["error", "size", "more"]), st.floats() | st.integers() | st.text() | st.none()))
def test_any_mapping_gives_figures_or_one_line(returned: dict[str, Any]) -> None:
    """Whatever a target returns, it ends in an outcome with the study's figures or in an EvaluationError."""
    found = _ANY[0] if _ANY else problem()
    _ANY[:] = [found]
    found._object.evaluate = lambda params: returned
    good = all(isinstance(v, (int, float)) and abs(v) <= sys.float_info.max for v in returned.values())
    if good and {"error", "size"} <= returned.keys():
        assert all(found.evaluate(POINT).value(name) == float(value) for name, value in returned.items())
    else:
        with pytest.raises(EvaluationError):
            found.evaluate(POINT)


_ANY: list[PythonProblem] = []
