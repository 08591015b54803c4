from htvm.api import (
    COMPUTED,
    CONSTANT,
    Constraint,
    Hardware,
    Layer,
    Pattern,
    Target,
    Template,
    contract_constraints,
    hookimpl,
    ops,
    requant,
)


def _one_vector(layer: Layer, hardware: Hardware) -> str | None:
    shape = layer.inputs[0].shape
    return None if len(shape) == 2 and shape[0] == 1 else f"the input is {shape}"


class Patterns(Target):
    @hookimpl
    def htvm_patterns(self, hardware: Hardware) -> tuple[Pattern, ...]:
        dense = Template(ops=(ops.Dense,), inputs=(COMPUTED, CONSTANT), capture="dense")
        contract = hardware.engines["rows"].contract("dense")
        return (
            Pattern(
                name="dense",
                engine="rows",
                root=Template(ops=(requant.ShiftRequant,), inputs=(dense,), capture="requant"),
                constraints=(
                    *contract_constraints(contract),
                    Constraint(text="the input is one vector", check=_one_vector),
                ),
                description="dense layer with bias, requantisation and ReLU",
            ),
        )
