"""From a matched layer to its realisations."""

from __future__ import annotations

from htvm.api import Hardware, InternalError, Layer, Offers
from htvm_diana import forms
from htvm_diana.rewrites.addition import added
from htvm_diana.rewrites.convolution import convolved
from htvm_diana.rewrites.dense import multiplied
from htvm_diana.rewrites.realisation import Realisation


def realisations(layer: Layer, offers: Offers, hardware: Hardware) -> tuple[Realisation, ...]:
    """Every realisation of a layer that matched one of the digital core's patterns."""
    limit = hardware.memories["weights"].size_bytes
    if "dense" in layer.captures:
        form = forms.matrix(layer, hardware)
        return tuple(multiplied(form, layer.inputs[0].shape, layer.output.shape, limit))
    if "add" in layer.captures:
        sums = forms.addition(layer, hardware)
        if isinstance(sums, str):
            raise InternalError(f"{layer.name}: {sums}")
        return tuple(added(sums, layer, offers))
    core = hardware.engines["digital"]
    return tuple(convolved(forms.convolution(layer, hardware), offers, core, limit))
