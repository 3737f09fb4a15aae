"""Configuration: dataclasses with units and range checks, composed by Hydra from ``conf/``."""
