"""An instruction-level cycle count of RV32IMF code on a core like RI5CY."""
