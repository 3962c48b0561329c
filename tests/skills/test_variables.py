"""Which environment variables skills need."""

from actors.skills import SkillDependency, missing_variables, needed_variables

from .trees import skill


def variable(name: str, description: str | None = None) -> SkillDependency:
    return SkillDependency(type="env_var", value=name, description=description)


ONE = skill("one", dependencies=(variable("A", "first"), variable("B"), variable("C")))
TWO = skill("two", dependencies=(variable("A", "second"), variable("D")))


def test_variables_are_needed_once_each() -> None:
    """With the words of the skill that names it first."""
    assert needed_variables([ONE, TWO]) == (
        variable("A", "first"),
        variable("B"),
        variable("C"),
        variable("D"),
    )
    assert needed_variables([]) == ()


def test_what_is_set_or_known_is_not_missing() -> None:
    """An empty value is one."""
    environ = {"B": "", "X": "x"}

    assert missing_variables([ONE, TWO], environ, {"C"}) == (variable("A", "first"), variable("D"))
    assert missing_variables([TWO], {"A": "1", "D": "2"}, ()) == ()


def test_other_dependencies_and_names_that_cannot_be_set_are_no_variables() -> None:
    """The type is exact, and a name is one that every shell can write."""
    dependencies = (
        SkillDependency(type="mcp", value="A"),
        SkillDependency(type="ENV_VAR", value="A"),
        *map(variable, ["A=B", "A B", "1A", "Ä", "A\0"]),
    )

    assert needed_variables([skill(dependencies=dependencies)]) == ()
