"""MR physics as a contrast engine: tissues, sequences and their signal equations."""

from otfsynth.synthesis.physics.engine import PhysicsEngine, load_physics

__all__ = ["PhysicsEngine", "load_physics"]
