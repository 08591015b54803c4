"""Every exact way to bring a layer to the digital core, each as data."""

from htvm_diana.rewrites.realisation import Realisation
from htvm_diana.rewrites.realise import realisations

__all__ = ["Realisation", "realisations"]
