"""Settings: ranges, types, aliases, and all mistakes at once."""

import math
from dataclasses import FrozenInstanceError, dataclass
from typing import Literal

import numpy as np
import pytest

from evorrn.base.errors import ConfigError
from evorrn.base.settings import Settings, build, check_seed, describe, names, plain, setting


@dataclass(frozen=True)
class Oven(Settings):
    """A made-up set of settings."""

    count: int = setting(3, "how many", minimum=1, maximum=9)
    heat: float = setting(0.5, "how hot", above=0, below=1)
    kind: str = setting("gas", "which", choices=("gas", "wood"))
    dark: bool = setting(False, "whether")
    sizes: tuple[int, ...] = setting((1, 2), "some", minimum=0)
    span: tuple[float, float] | None = setting(None, "from and to")
    scale: float | tuple[float, float] = setting(1.0, "one or a range", above=0)
    mode: Literal["a", "b"] = setting("a", "letter")
    shelf: int | None = setting(None, "which shelf", alias="level")

    def problems(self):
        found = super().problems()
        if not found and self.count == 9 and self.dark:
            found.append("count: expected fewer in the dark")
        return found


def test_defaults_names_and_descriptions():
    oven = Oven()
    assert names(Oven)[:3] == ["count", "heat", "kind"]
    assert oven.values()["sizes"] == [1, 2] and oven.values()["span"] is None
    assert describe(Oven)[0] == ("count", "int, at least 1, at most 9", 3, "how many")
    assert describe(Oven)[2] == ("kind", "gas | wood", "gas", "which")
    with pytest.raises(FrozenInstanceError):
        oven.count = 4


def test_lists_become_tuples_and_whole_numbers_floats():
    oven = build(Oven, {"sizes": [4, 5, 6], "span": [0, 2], "heat": 0.25, "scale": [1, 2]}, "oven")
    assert oven.sizes == (4, 5, 6) and oven.span == (0.0, 2.0) and oven.scale == (1.0, 2.0)
    assert type(oven.span[0]) is float
    assert type(build(Oven, {"scale": 2}, "oven").scale) is float


def test_values_make_the_same_settings_again():
    oven = Oven(count=2, span=(0.5, 2.0), dark=True)
    assert build(Oven, oven.values(), "oven") == oven


def test_none_can_be_written_as_a_word():
    assert build(Oven, {"span": "none", "shelf": "none"}, "oven") == Oven()


def test_an_alias_is_accepted():
    assert build(Oven, {"level": 2}, "oven").shelf == 2
    assert "level" not in build(Oven, {"level": 2}, "oven").values()
    with pytest.raises(ConfigError, match=r"oven.shelf: expected int"):
        build(Oven, {"level": 2.5}, "oven")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("count", 0, "expected a value >= 1, got 0"),
        ("count", 10, "expected a value <= 9, got 10"),
        ("count", 2.0, "expected int, got 2.0"),
        ("count", True, "expected int, got True"),
        ("count", "3", "expected int, got '3'"),
        ("count", None, "expected int, got None"),
        ("heat", 0, "expected a value > 0, got 0"),
        ("heat", 1.0, "expected a value < 1, got 1.0"),
        ("heat", math.nan, "expected a number, got nan"),
        ("scale", math.inf, "expected a finite number, got inf"),
        ("scale", 10**400, "expected a finite number, got inf"),
        ("span", [1.0, -math.inf], "expected a finite number, got -inf"),
        ("heat", math.inf, "expected a value < 1, got inf"),
        ("kind", "gass", "did you mean 'gas'"),
        ("kind", 4, "expected str, got 4"),
        ("dark", 1, "expected bool, got 1"),
        ("sizes", [1, -2], "expected a value >= 0, got -2"),
        ("shelf", 2**63, "expected a whole number of at most 9223372036854775807"),
        ("sizes", 4, "expected list of int, got 4"),
        ("sizes", [1, "x"], "expected list of int, got (1, 'x')"),
        ("span", [1.0], "expected list of float or none, got [1.0]"),
        ("scale", [1.0, 0.0], "expected a value > 0, got 0.0"),
        ("mode", "c", "got 'c'"),
    ],
)
def test_errors_name_the_setting_and_the_value(name, value, sentence):
    with pytest.raises(ConfigError) as error:
        build(Oven, {name: value}, "oven")
    assert str(error.value).startswith(f"oven.{name}: ") and sentence in str(error.value)


def test_every_mistake_is_reported_at_once():
    with pytest.raises(ConfigError) as error:
        build(Oven, {"count": 0, "hea": 1, "kind": "coal", "dark": False}, "oven")
    assert len(error.value.problems) == 3
    assert "unknown setting 'hea'; did you mean 'heat'" in str(error.value)


def test_rules_over_several_settings_are_checked_with_their_path():
    with pytest.raises(ConfigError, match=r"oven.count: expected fewer in the dark"):
        build(Oven, {"count": 9, "dark": True}, "oven")
    with pytest.raises(ConfigError, match=r"^count: expected fewer"):
        Oven(count=9, dark=True)


@dataclass(frozen=True)
class NewerOven(Oven):
    """The same with a setting that was added later; True is what the oven did before."""

    loud: bool = setting(False, "whether it rings", absent=True)
    rings: int = setting(1, "how often", absent=1)


def test_a_setting_added_later_is_left_out_of_stored_values_where_it_means_the_earlier_behaviour():
    assert NewerOven(loud=True).stored_values() == Oven().values() == Oven().stored_values()
    assert NewerOven().stored_values() == {**Oven().values(), "loud": False}
    assert NewerOven(loud=True, rings=2).stored_values() == {**Oven().values(), "rings": 2}


@pytest.mark.parametrize("oven", [NewerOven(), NewerOven(loud=True), NewerOven(loud=True, rings=2)])
def test_stored_values_make_the_same_settings_again(oven):
    assert build(NewerOven, NewerOven.from_stored(oven.stored_values()), "oven") == oven
    assert build(NewerOven, NewerOven.from_stored(Oven().values()), "oven") == NewerOven(loud=True)


def test_plain_data():
    assert plain((1, (2, np.float64(3.0)), {"a": np.int64(4)})) == [1, [2, 3.0], {"a": 4}]
    assert type(plain(np.float32(1.5))) is float


def test_lists_and_numpy_numbers_are_accepted_in_python():
    oven = Oven(count=np.int64(4), heat=np.float32(0.25), sizes=[1, 2], span=[0, 1])
    assert oven == Oven(count=4, heat=0.25, sizes=(1, 2), span=(0.0, 1.0))
    assert type(oven.count) is int


@pytest.mark.parametrize("seed", [-1, 0.5, None, "1", True])
def test_a_seed_is_a_whole_number_of_at_least_0(seed):
    assert check_seed(np.int64(3)) == 3
    with pytest.raises(ConfigError, match="seed: expected a whole number of at least 0"):
        check_seed(seed)


def test_an_unknown_name_in_python_is_an_error_with_the_nearest_name():
    import copy

    import pytest

    from evorrn import GeneticAlgorithm
    from evorrn.base.errors import ConfigError

    with pytest.raises(ConfigError, match="did you mean 'population'"):
        GeneticAlgorithm(popolation=8)
    assert copy.copy(GeneticAlgorithm(population=8)).population == 8


def test_the_docstring_of_a_class_has_every_setting():
    @dataclass(frozen=True)
    class Kiln(Oven):
        """A hotter oven.

        Notes
        -----
        None.
        """

        glaze: float | None = setting(None, "thickness of the glaze", minimum=0, below=3)
        plain: int = 4

    assert Kiln.doc == "A hotter oven.\n\nNotes\n-----\nNone."
    before, parameters, after = Kiln.__doc__.partition(
        "Parameters\n----------\ncount : int, at least 1, at most 9, default 3\n    how many\n"
    )
    assert before == "A hotter oven.\n\n" and parameters
    assert "kind : {'gas', 'wood'}, default 'gas'\n    which\n" in after
    assert "scale : float or list of float, above 0, default 1.0\n    one or a range\n" in after
    assert after.endswith(
        "glaze : float or None, at least 0, below 3, default None\n    thickness of the glaze\n"
        "plain : int, default 4\n\nNotes\n-----\nNone."
    )


def test_a_class_without_docstring_or_with_its_own_parameters_section():
    @dataclass(frozen=True)
    class Silent(Settings):
        count: int = setting(1, "how many")

    @dataclass(frozen=True)
    class Written(Settings):
        """Said already.

        Parameters
        ----------
        count : int
            As many.
        """

        count: int = setting(1, "how many")

    @dataclass(frozen=True, slots=True)
    class Slots(Settings):
        """Made twice."""

        count: int = 1

    assert (
        Silent.doc == "" and Silent.__doc__ == "Parameters\n----------\ncount : int, default 1\n    how many"
    )
    assert Written.__doc__ == Written.doc and "how many" not in Written.__doc__
    assert Slots.doc == "Made twice." and Slots.__doc__.endswith("count : int, default 1")
    assert Settings.__doc__.startswith("Base of frozen dataclasses")
